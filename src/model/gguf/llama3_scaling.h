// Llama 3's scaling of the rope, found again in what each frequency is divided by.
#pragma once

#include <optional>
#include <span>

namespace nibble {

struct Llama3Scaling {
  double factor = 8, low_freq_factor = 1, high_freq_factor = 4, original_context = 8192;
};

// `divisors`: [head_dim / 2], of the plain frequencies of a rope with this theta. None where no
// numbers give them all to 1e-5.
std::optional<Llama3Scaling> llama3_scaling_of(std::span<const float> divisors, double theta);

}  // namespace nibble
