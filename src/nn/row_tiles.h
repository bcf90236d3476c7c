// The one way a linear layer multiplies many tokens: rows of its weights are taken in fixed tiles,
// each made ready by the layer (converted, decoded) and multiplied on one thread.
#pragma once

#include <functional>

#include "nn/linear.h"

namespace nibble {

inline constexpr std::size_t kFewTokens = 4;  // up to here a product is limited by reading weights
inline constexpr std::size_t kRowTile = 128;  // rows of the weights taken at once
inline constexpr std::size_t kGemvRows = 64;

// Decodes rows [first, first + out.rows) of the weights; out [rows, inputs].
using DecodeRows = std::function<void(std::size_t first, Matrix out)>;

// y = x · Wᵀ (+ bias) with W decoded tile by tile, in the asked arithmetic; up to kFewTokens rows
// of x in float32, each by itself.
void multiply_row_tiles(const LayerInput& x, std::size_t outputs, const DecodeRows& decode,
                        const float* bias, Matrix y, Compute compute);

void add_bias(const float* bias, Matrix y);  // null: nothing

}  // namespace nibble
