// Rows rounded to bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_vector.h"
#include "kernels/kernels.h"
#include "nibble/tensor.h"

namespace nibble {

// Rows of x rounded to int8, each block of 32 columns with its own scale. Columns are padded with
// zeros to whole blocks.
class ByteMatrix {
 public:
  ByteMatrix() = default;
  explicit ByteMatrix(ConstMatrix x);  // rounds, on all threads
  // Whole numbers from −127 to 127 as they are: every scale is 1.
  static ByteMatrix of_codes(ConstMatrix x);
  std::size_t rows() const { return rows_; }
  ByteRows view() const;

 private:
  ByteMatrix(std::size_t rows, std::size_t columns);  // room
  std::size_t rows_ = 0, blocks_ = 0;
  AlignedVector<std::int8_t> codes_;
  AlignedVector<float> scales_;
  AlignedVector<std::int32_t> sums_;
};

}  // namespace nibble
