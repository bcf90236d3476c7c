#include "nn/inputs/tiled_bytes.h"

#include <cstring>

#include "base/parallel.h"

namespace nibble {

TiledBytes::TiledBytes(const ByteRows& x, std::size_t rows, int offset)
    : offset_(offset),
      width_(kernels().gemm_columns),
      tiles_((rows + width_ - 1) / width_),
      codes_(tiles_ * width_ * x.blocks * kBlockColumns),
      scales_(tiles_ * width_ * x.blocks),
      starts_(scales_.size()),
      sums_(scales_.size()) {
  parallel_ranges(tiles_, 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t tile = begin; tile < end; ++tile) fill(x, rows, tile);
  });
}

ByteTiles TiledBytes::from(std::size_t tile) const {
  const std::size_t at = tile * (scales_.size() / tiles_);
  return {codes_.data() + at * kBlockColumns, scales_.data() + at, starts_.data() + at,
          sums_.data() + at};
}

void TiledBytes::fill(const ByteRows& x, std::size_t rows, std::size_t tile) {
  const std::size_t steps = x.blocks * 8;
  std::int8_t* codes = codes_.data() + tile * width_ * steps * 4;
  const std::size_t side = tile * width_ * x.blocks;
  for (std::size_t c = 0; c < width_; ++c) {
    const std::size_t row = tile * width_ + c;
    if (row >= rows) {
      for (std::size_t k = 0; k < steps; ++k) std::memset(codes + (k * width_ + c) * 4, 0, 4);
      for (std::size_t b = 0; b < x.blocks; ++b) {
        const std::size_t at = side + b * width_ + c;
        scales_[at] = sums_[at] = 0;
        starts_[at] = 0;
      }
      continue;
    }
    const std::int8_t* from = x.codes + row * steps * 4;
    for (std::size_t k = 0; k < steps; ++k)
      std::memcpy(codes + (k * width_ + c) * 4, from + 4 * k, 4);
    for (std::size_t b = 0; b < x.blocks; ++b) {
      const std::size_t at = row * x.blocks + b;
      const std::int32_t sum = x.sums[2 * at] + x.sums[2 * at + 1];
      scales_[side + b * width_ + c] = x.scales[at];
      starts_[side + b * width_ + c] = -offset_ * sum;
      sums_[side + b * width_ + c] = x.scales[at] * static_cast<float>(sum);
    }
  }
}

}  // namespace nibble
