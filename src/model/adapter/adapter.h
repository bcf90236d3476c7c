// Low-rank adapters of a model (nn/lora_linear.h) as PEFT's folders hold them:
// adapter_config.json and adapter_model.safetensors.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "nn/lora_linear.h"

namespace nibble {

struct Adapter {
  std::filesystem::path folder;
  // By module, named as in a Hugging Face checkpoint: "model.layers.3.self_attn.q_proj".
  std::map<std::string, std::shared_ptr<LowRank>, std::less<>> layers;

  // The addition to a module of any checkpoint of the model, whatever its prefix; null: none.
  std::shared_ptr<const LowRank> of(std::string_view module) const;
};

// A module's name without what exporters put in front: "layers.3.self_attn.q_proj", "lm_head".
std::string_view plain_module(std::string_view module);

// The number that a low-rank addition is multiplied with: α / r, or α / √r (rsLoRA, Kalajdzievski
// 2023, arXiv 2312.03732).
float adapter_scale(double alpha, std::size_t rank, bool rank_stabilized);

// Throws kNotFound, kCorruptFile, and kUnsupported naming what such a folder may hold and this
// program does not read: other kinds of adapters, whole layers, biases, experts.
Adapter read_adapter(const std::filesystem::path& folder);

}  // namespace nibble
