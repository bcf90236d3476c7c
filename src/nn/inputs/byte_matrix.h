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
  std::size_t rows() const { return rows_; }
  ByteRows view() const;

 private:
  std::size_t rows_ = 0, blocks_ = 0;
  AlignedVector<std::int8_t> codes_;
  AlignedVector<float> scales_;
  AlignedVector<std::int32_t> sums_;
};

}  // namespace nibble
