// What every method needs around its own idea: groups' scales, plain rounding.
#pragma once

#include "quantize/layer/rounder.h"
#include "quantize/method.h"

namespace nibble {

// Scales and zeros of all groups of contiguous columns of `weight`, as the output stores them;
// importance [columns] or empty. Codes stay 0.
Codes fit_groups(ConstMatrix weight, const Rounder& rounder, std::size_t group_size,
                 std::span<const float> importance);

// Nearest codes for the scales that are there.
void round_all(ConstMatrix weight, const Rounder& rounder, Codes& codes);

// diag(H), without a Hessian the task's importance, or nothing.
std::vector<float> importance_of(const Task& task);

}  // namespace nibble
