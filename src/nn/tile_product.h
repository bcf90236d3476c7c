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

// A range of panels against one input at a time, on any thread.
class TileProduct {
 public:
  explicit TileProduct(const LayerInput& x);  // rounds, on all threads; x must live on
  // Panels to be taken at once: they stay in the second cache.
  std::size_t strip() const;
  // A range of panels, made by `fill`.
  using Strip = AlignedVector<std::uint16_t>;
  void make(std::size_t first, std::size_t count, const FillPanel& fill, Strip& strip) const;
  // y [rows, 16 · panels] = rows [first_row, first_row + y.rows) of x times a strip; first_row is a
  // multiple of 16.
  void multiply(const Strip& strip, std::size_t first_row, Matrix y) const;

 private:
  const std::uint16_t* tiles_;
  std::size_t blocks_;
};

// y [x.rows, outputs] = x · Wᵀ. Uses all threads; the result does not depend on their number.
void tile_product(const LayerInput& x, std::size_t outputs, const FillPanel& fill, Matrix y);

}  // namespace nibble
