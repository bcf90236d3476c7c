// The gradients of a linear layer y = x · Wᵀ + b. Of its inputs: Linear::add_input_gradient().
#pragma once

#include <span>

#include "nn/linear.h"

namespace nibble {

// dw [outputs, inputs] += dyᵀ · x for x [tokens, inputs], dy [tokens, outputs]. All threads; the
// sums run over tokens in one order, whatever their number.
void add_weight_gradient(ConstMatrix x, ConstMatrix dy, Matrix dw);

// db [outputs] += Σ over tokens of dy.
void add_bias_gradient(ConstMatrix dy, std::span<float> db);

}  // namespace nibble
