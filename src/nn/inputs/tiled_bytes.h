// Rows rounded to bytes in the order of the large product.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_vector.h"
#include "kernels/kernels.h"

namespace nibble {

// For weights whose codes have this offset (DenseForm), in tiles of kernels().gemm_columns rows.
class TiledBytes {
 public:
  TiledBytes(const ByteRows& x, std::size_t rows, int offset);  // on all threads
  int offset() const { return offset_; }
  ByteTiles from(std::size_t tile) const;  // from this tile on

 private:
  void fill(const ByteRows& x, std::size_t rows, std::size_t tile);

  int offset_;
  std::size_t width_, tiles_;
  AlignedVector<std::int8_t> codes_;
  AlignedVector<float> scales_;
  AlignedVector<std::int32_t> starts_;
  AlignedVector<float> sums_;
};

}  // namespace nibble
