// Products of many rows on the CPU's tile registers (Intel AMX): weights of any storage become
// panels of bfloat16 in cache-sized strips.
#pragma once

#include <cstdint>
#include <functional>

#include "base/aligned_vector.h"
#include "nn/inputs/layer_input.h"

namespace nibble {

// Whether the kernels in use have such products.
bool has_bfloat16_panels();

// Writes rows [16 · panel, 16 · panel + 16) of the weights: kernels().tiles' panel form.
using FillPanel = std::function<void(std::size_t panel, std::uint16_t* out)>;

// A range of panels against one input at a time, on any thread.
class Bfloat16Product {
 public:
  explicit Bfloat16Product(const LayerInput& x);  // rounds, on all threads; x must live on
  // Panels to be taken at once: they stay in the second cache.
  std::size_t strip() const;
  // Panels [first, first + count), made by `fill`.
  using Panels = AlignedVector<std::uint16_t>;
  void make(std::size_t first, std::size_t count, const FillPanel& fill, Panels& panels) const;
  // y [rows, 16 · panels] = rows [first_row, first_row + y.rows) of x times those; first_row is a
  // multiple of 16.
  void multiply(const Panels& panels, std::size_t first_row, Matrix y) const;

 private:
  const std::uint16_t* tiles_;
  std::size_t blocks_;
};

// y [x.rows, outputs] = x · Wᵀ. Uses all threads; the result does not depend on their number.
void multiply_bfloat16_panels(const LayerInput& x, std::size_t outputs, const FillPanel& fill,
                              Matrix y);

}  // namespace nibble
