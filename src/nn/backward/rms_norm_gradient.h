// The gradients of y = x / sqrt(mean(x²) + ε) · gain.
#pragma once

#include <span>

#include "nibble/tensor.h"

namespace nibble {

// dx [tokens, width] += what dy says of x; dgain [width] likewise, unless empty. `x` is what the
// norm read. dx may not be dy.
void add_rms_norm_gradient(ConstMatrix x, std::span<const float> gain, float epsilon,
                           ConstMatrix dy, Matrix dx, std::span<float> dgain);

}  // namespace nibble
