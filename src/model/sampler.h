// Chooses the next token from logits: penalties, top-k, top-p, min-p, then temperature.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace nibble {

struct SamplerOptions {
  float temperature = 0.8f;  // 0: the most likely token, lowest id first
  std::size_t top_k = 40;    // 0: off
  float top_p = 0.95f;       // 1: off
  float min_p = 0.05f;       // 0: off
  // Against tokens among the last `repeat_last`: the logit is divided by the first when positive
  // and multiplied when negative; then the second is taken off, and the third for each occurrence.
  float repeat_penalty = 1.0f;     // 1: off
  float presence_penalty = 0.0f;   // 0: off
  float frequency_penalty = 0.0f;  // 0: off
  std::size_t repeat_last = 64;    // 0: none of the past
  std::uint64_t seed = 0;
};

class Sampler {
 public:
  explicit Sampler(const SamplerOptions& options);
  // `past`: all tokens so far. The same seed and logits give the same tokens.
  // Throws kNumeric for logits from which no token follows.
  std::int32_t pick(std::span<const float> logits, std::span<const std::int32_t> past);

 private:
  bool penalizes() const;
  void penalize(std::span<const std::int32_t> past);

  SamplerOptions options_;
  Random random_;
  std::vector<float> penalized_;  // the logits after penalties; kept, as it is large
};

// The index of the largest value, the lowest on ties.
std::int32_t most_likely(std::span<const float> logits);

}  // namespace nibble
