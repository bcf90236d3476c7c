// Products of many rows on the CPU's tile registers: weights of any storage become bfloat16 panels
// in cache-sized strips.
#pragma once

#include <cstdint>
#include <functional>

#include "base/aligned_vector.h"
#include "nn/layer_input.h"

namespace nibble {

// Whether the kernels in use have such products.
bool has_tile_product();

// Rows of x as kernels().tiles reads them. Rounds on all threads.
AlignedVector<std::uint16_t> bfloat16_tiles(ConstMatrix x);

// Writes rows [16 · panel, 16 · panel + 16) of the weights: kernels().tiles' panel form.
using FillPanel = std::function<void(std::size_t panel, std::uint16_t* out)>;

// y [x.rows, outputs] = x · Wᵀ. Uses all threads; the result does not depend on their number.
void tile_product(const LayerInput& x, std::size_t outputs, const FillPanel& fill, Matrix y);

}  // namespace nibble
