// Chooses the next token from logits: penalty, top-k, top-p, min-p, then temperature.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace nibble {

struct SamplerOptions {
  float temperature = 0.8f;     // 0: the most likely token, lowest id first
  std::size_t top_k = 40;       // 0: off
  float top_p = 0.95f;          // 1: off
  float min_p = 0.05f;          // 0: off
  float repeat_penalty = 1.0f;  // of tokens among the last `repeat_last`; 1: off
  std::size_t repeat_last = 64;
  std::uint64_t seed = 0;
};

class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options);
  // `past`: all tokens so far. The same seed and logits give the same tokens.
  std::int32_t pick(std::span<const float> logits, std::span<const std::int32_t> past);

 private:
  SamplerOptions options_;
  Random random_;
};

// The index of the largest value, the lowest on ties.
std::int32_t most_likely(std::span<const float> logits);

}  // namespace nibble
