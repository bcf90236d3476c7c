#include "model/adapter/adapter_writer.h"

#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/files.h"
#include "base/json.h"
#include "nibble/checkpoint.h"

namespace nibble {
namespace {

TensorInfo info_of(const std::string& name, std::vector<std::int64_t> shape) {
  TensorInfo info;
  info.name = name;
  info.dtype = DType::kF32;
  info.bytes = sizeof(float);
  for (const std::int64_t size : shape) info.bytes *= static_cast<std::uint64_t>(size);
  info.shape = std::move(shape);
  return info;
}

std::vector<std::int64_t> shape_of(const Tensor& values) {
  return {static_cast<std::int64_t>(values.rows()), static_cast<std::int64_t>(values.columns())};
}

// Calls use(name, shape, values) for each tensor, in the file's order.
template <typename Use>
void each_tensor(const Adapter& adapter, const Use& use) {
  for (const auto& [module, layer] : adapter.layers) {
    const std::string base = "base_model.model." + module;
    use(base + ".lora_A.weight", shape_of(layer->a), std::span(layer->a.data(), layer->a.size()));
    use(base + ".lora_B.weight", shape_of(layer->b), std::span(layer->b.data(), layer->b.size()));
    if (layer->magnitude.empty()) continue;
    use(base + ".lora_magnitude_vector",
        std::vector<std::int64_t>{static_cast<std::int64_t>(layer->magnitude.size())},
        std::span(layer->magnitude.data(), layer->magnitude.size()));
  }
}

Json config_of(const Adapter& adapter, const AdapterFacts& facts) {
  std::set<std::string> targets;
  for (const auto& [module, layer] : adapter.layers)
    targets.insert(module.substr(module.rfind('.') + 1));
  const LowRank& any = *adapter.layers.begin()->second;
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", facts.base_model},
          {"revision", nullptr},
          {"inference_mode", true},
          {"r", any.rank()},
          {"lora_alpha", facts.alpha},
          {"lora_dropout", 0.0},
          {"target_modules", targets},
          {"exclude_modules", nullptr},
          {"modules_to_save", nullptr},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"use_rslora", facts.rank_stabilized},
          {"use_dora", !any.magnitude.empty()},
          {"init_lora_weights", true},
          {"rank_pattern", Json::object()},
          {"alpha_pattern", Json::object()},
          {"layers_to_transform", nullptr},
          {"layers_pattern", nullptr},
          {"lora_bias", false}};
}

}  // namespace

void write_adapter(const std::filesystem::path& folder, const Adapter& adapter,
                   const AdapterFacts& facts) {
  NIBBLE_ASSERT(!adapter.layers.empty());
  std::vector<TensorInfo> tensors;
  each_tensor(adapter, [&](const std::string& name, auto shape, std::span<const float>) {
    tensors.push_back(info_of(name, std::move(shape)));
  });
  WriterOptions options;
  options.max_shard_bytes = UINT64_MAX;  // PEFT knows one file
  const auto writer = create_checkpoint(folder, std::move(tensors), options);
  each_tensor(adapter, [&](const std::string& name, const auto&, std::span<const float> values) {
    writer->add(name, std::as_bytes(values));
  });
  writer->finish();
  std::filesystem::rename(folder / "model.safetensors", folder / "adapter_model.safetensors");
  write_file(folder / "adapter_config.json", config_of(adapter, facts).dump(2) + "\n");
}

}  // namespace nibble
