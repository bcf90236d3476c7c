#include "nn/inputs/byte_matrix.h"

#include <algorithm>

#include "base/parallel.h"

namespace nibble {

ByteMatrix::ByteMatrix(ConstMatrix x)
    : rows_(x.rows),
      blocks_((x.columns + kBlockColumns - 1) / kBlockColumns),
      codes_(x.rows * blocks_ * kBlockColumns),
      scales_(x.rows * blocks_),
      sums_(x.rows * blocks_ * 2) {
  const std::size_t whole = x.columns / kBlockColumns, rest = x.columns % kBlockColumns;
  const auto round = [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      std::int8_t* codes = codes_.data() + r * blocks_ * kBlockColumns;
      float* scales = scales_.data() + r * blocks_;
      std::int32_t* sums = sums_.data() + r * blocks_ * 2;
      kernels().round_to_bytes(x.row(r), whole, codes, scales, sums);
      if (rest == 0) continue;
      float tail[kBlockColumns] = {};
      std::copy_n(x.row(r) + whole * kBlockColumns, rest, tail);
      kernels().round_to_bytes(tail, 1, codes + whole * kBlockColumns, scales + whole,
                               sums + 2 * whole);
    }
  };
  if (rows_ <= 4)
    round(0, rows_);
  else
    parallel_ranges(rows_, 16, round);
}

ByteRows ByteMatrix::view() const { return {codes_.data(), scales_.data(), sums_.data(), blocks_}; }

}  // namespace nibble
