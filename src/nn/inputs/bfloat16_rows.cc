#include "nn/inputs/bfloat16_rows.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {

std::vector<std::uint16_t> to_bfloat16(ConstMatrix x) {
  std::vector<std::uint16_t> rounded(x.rows * x.columns);
  parallel_ranges(x.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      kernels().float_to_bfloat16(x.row(r), rounded.data() + r * x.columns, x.columns);
  });
  return rounded;
}

AlignedVector<std::uint16_t> bfloat16_tiles(ConstMatrix x) {
  const std::size_t tiles = (x.rows + kPanelRows - 1) / kPanelRows;
  const std::size_t blocks = (x.columns + kBlockColumns - 1) / kBlockColumns;
  const std::size_t tile_values = blocks * kPanelRows * kBlockColumns;
  AlignedVector<std::uint16_t> packed(tiles * tile_values);
  parallel_ranges(tiles, 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t)
      kernels().tiles->pack_rows(x.row(t * kPanelRows), x.stride,
                                 std::min(kPanelRows, x.rows - t * kPanelRows), x.columns,
                                 packed.data() + t * tile_values);
  });
  return packed;
}

}  // namespace nibble
