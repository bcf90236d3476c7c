// A layer's result in ranges of its outputs, that is of rows of its weights: what a layer offers so
// that one loop over all threads may serve several of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_vector.h"
#include "nn/inputs/layer_input.h"

namespace nibble {

// Ranges begin at multiples of this.
inline constexpr std::size_t kRangeRows = 16;
// Inputs are taken in steps of so many, where several strips share them in the cache.
inline constexpr std::size_t kInputStep = 96;

// A range of weights made ready for products. Of one thread, which uses it again.
struct Strip {
  std::size_t first = 0, count = 0;  // outputs
  AlignedVector<std::uint8_t> codes;
  AlignedVector<float> scales, lows;
  AlignedVector<std::uint16_t> bfloat16;
  AlignedVector<float> columns;  // [columns of x taken out of the product, count]
};

class RowRanges {
 public:
  virtual ~RowRanges() = default;
  virtual std::size_t outputs() const = 0;
  // Rounds x, unless another layer did, on all threads: before the loop in which the ranges run.
  virtual void round(const LayerInput& x) const = 0;
  // Outputs to be taken at once, a multiple of kRangeRows. What a row gives does not depend on it.
  virtual std::size_t grain(const LayerInput& x) const = 0;
  // Makes outputs [first, first + count) ready for multiply(), on the calling thread.
  virtual void make(const LayerInput& x, std::size_t first, std::size_t count,
                    Strip& strip) const = 0;
  // y [rows, strip.count]: what rows [first_row, first_row + y.rows) of x give, bias and all;
  // first_row is a multiple of kInputStep. On the calling thread.
  virtual void multiply(const LayerInput& x, const Strip& strip, std::size_t first_row,
                        Matrix y) const = 0;
};

// Outputs [first, first + y.columns) of all rows of x, on the calling thread.
void run_range(const RowRanges& layer, const LayerInput& x, std::size_t first, Matrix y);

// All of them, on all threads.
void run_ranges(const RowRanges& layer, const LayerInput& x, Matrix y);

}  // namespace nibble
