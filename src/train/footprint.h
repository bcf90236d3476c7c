// How much memory training takes, counted before it begins.
#pragma once

#include <cstdint>
#include <string>

#include "model/source.h"
#include "train/lora_layers.h"

namespace nibble {

struct Footprint {
  std::size_t base_values = 0;     // weights in the layers of all blocks
  std::size_t trained_values = 0;  // of the adapter
  std::uint64_t base = 0;          // bytes of a base packed in memory; 0: it stays in its file
  std::uint64_t adapter = 0;       // values, gradients and two moments, in float32
  std::uint64_t inputs = 0;        // of all blocks, kept for the way back
  std::uint64_t block = 0;         // one block's activations and their gradients
  std::uint64_t head = 0;          // logits of the tokens that have them at once
  std::uint64_t decoded = 0;       // weights as floats, while they are multiplied
  std::uint64_t best = 0;          // a copy of the adapter, where the best is kept
  std::uint64_t scratch = 0;       // of threads and of the libraries below

  std::uint64_t bytes() const {
    return base + adapter + inputs + block + head + decoded + best + scratch;
  }
};

// Of packs of `tokens`.
Footprint training_footprint(const ModelSource& source, const LoraOptions& lora,
                             const std::string& base, std::size_t tokens, Compute compute);

}  // namespace nibble
