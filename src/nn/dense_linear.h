// float32, float16 or bfloat16 weights, row-major [outputs, inputs].
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nibble/dtype.h"
#include "nn/linear.h"

namespace nibble {

// Looks at `weights` (which must outlive it; copied only when misaligned for `dtype`).
std::unique_ptr<Linear> dense_linear(std::span<const std::byte> weights, DType dtype,
                                     std::size_t outputs, std::size_t inputs,
                                     std::vector<float> bias = {});

// Owns a copy of `weights` in which row r is row row_of[r] of the original.
std::unique_ptr<Linear> dense_linear_of_rows(std::span<const std::byte> weights, DType dtype,
                                             std::size_t inputs,
                                             std::span<const std::uint32_t> row_of,
                                             std::vector<float> bias = {});

// Owns float32 weights.
std::unique_ptr<Linear> dense_linear(Tensor weights, std::vector<float> bias = {});

}  // namespace nibble
