// What every method needs around its own idea: groups' scales, plain rounding, measured errors.
#pragma once

#include "quantize/method.h"

namespace nibble {

// Scales and zeros of all groups of contiguous columns of `weight`; importance [columns] or empty.
// Codes stay 0.
Codes fit_groups(ConstMatrix weight, const Grid& grid, std::size_t group_size,
                 std::span<const float> importance, ScaleSearch search);

// Nearest codes for the scales that are there.
void round_all(ConstMatrix weight, const Grid& grid, Codes& codes);

// diag(H), or nothing without a Hessian.
std::vector<float> importance_of(ConstMatrix hessian);

// Fills weight_error, output_error.
void measure(const Task& task, Outcome& outcome);

}  // namespace nibble
