#include "nn/inputs/byte_matrix.h"

#include <algorithm>

#include "base/parallel.h"

namespace nibble {

ByteMatrix::ByteMatrix(std::size_t rows, std::size_t columns)
    : rows_(rows),
      blocks_((columns + kBlockColumns - 1) / kBlockColumns),
      codes_(rows * blocks_ * kBlockColumns),
      scales_(rows * blocks_),
      sums_(rows * blocks_ * 2) {}

ByteMatrix::ByteMatrix(ConstMatrix x) : ByteMatrix(x.rows, x.columns) {
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

ByteMatrix ByteMatrix::of_codes(ConstMatrix x) {
  ByteMatrix bytes(x.rows, x.columns);
  std::fill(bytes.scales_.begin(), bytes.scales_.end(), 1.0f);
  const std::size_t columns = bytes.blocks_ * kBlockColumns;
  const auto copy = [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      std::int8_t* codes = bytes.codes_.data() + r * columns;
      const float* from = x.row(r);
      for (std::size_t c = 0; c < x.columns; ++c)
        codes[c] = static_cast<std::int8_t>(static_cast<std::int32_t>(from[c]));
      std::fill(codes + x.columns, codes + columns, std::int8_t{0});
      std::int32_t* sums = bytes.sums_.data() + r * bytes.blocks_ * 2;
      for (std::size_t half = 0; half < 2 * bytes.blocks_; ++half) {
        std::int32_t sum = 0;
        for (std::size_t c = 0; c < 16; ++c) sum += codes[16 * half + c];
        sums[half] = sum;
      }
    }
  };
  if (bytes.rows_ <= 4)
    copy(0, bytes.rows_);
  else
    parallel_ranges(bytes.rows_, 16, copy);
  return bytes;
}

ByteRows ByteMatrix::view() const { return {codes_.data(), scales_.data(), sums_.data(), blocks_}; }

}  // namespace nibble
