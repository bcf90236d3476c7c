// Root-mean-square normalization (Zhang and Sennrich 2019): y = x / sqrt(mean(x²) + ε) · gain.
#pragma once

#include <span>

#include "nibble/tensor.h"

namespace nibble {

// x, y [tokens, width]; gain [width]. y may be x.
void rms_norm(ConstMatrix x, std::span<const float> gain, float epsilon, Matrix y);

}  // namespace nibble
