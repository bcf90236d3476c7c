#include "nn/tile_product.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {
namespace {

constexpr std::size_t kTileValues = kPanelRows * kBlockColumns;
constexpr std::size_t kStripBytes = std::size_t{1} << 20;  // half of such CPUs' second cache

std::size_t blocks_of(std::size_t columns) { return (columns + kBlockColumns - 1) / kBlockColumns; }

}  // namespace

bool has_tile_product() { return kernels().tiles != nullptr; }

AlignedVector<std::uint16_t> bfloat16_tiles(ConstMatrix x) {
  const std::size_t tiles = (x.rows + kPanelRows - 1) / kPanelRows;
  const std::size_t tile_values = blocks_of(x.columns) * kTileValues;
  AlignedVector<std::uint16_t> packed(tiles * tile_values);
  parallel_ranges(tiles, 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t)
      kernels().tiles->pack_rows(x.row(t * kPanelRows), x.stride,
                                 std::min(kPanelRows, x.rows - t * kPanelRows), x.columns,
                                 packed.data() + t * tile_values);
  });
  return packed;
}

void tile_product(const LayerInput& x, std::size_t outputs, const FillPanel& fill, Matrix y) {
  const TileKernels& table = *kernels().tiles;
  const ConstMatrix values = x.values();
  const std::size_t blocks = blocks_of(values.columns), panel_values = blocks * kTileValues;
  const std::size_t panels = (outputs + kPanelRows - 1) / kPanelRows;
  // Whole pairs: two panels share what is loaded of x.
  const std::size_t pairs = kStripBytes / (2 * panel_values * sizeof(std::uint16_t));
  const std::size_t strip = 2 * std::clamp<std::size_t>(pairs, 1, 8);
  const std::uint16_t* tiles = x.bfloat16_tiles().data();
  parallel_ranges(panels, strip, [&](std::size_t begin, std::size_t end) {
    thread_local AlignedVector<std::uint16_t> dense;
    dense.resize((end - begin) * panel_values);
    for (std::size_t p = begin; p < end; ++p) fill(p, dense.data() + (p - begin) * panel_values);
    // The last panel may be wider than y.
    const std::size_t whole = std::min(end, outputs / kPanelRows);
    const auto multiply = [&](std::size_t first, std::size_t count, Matrix out) {
      table.gemm(dense.data() + (first - begin) * panel_values, count, tiles, values.rows, blocks,
                 out.values, out.stride);
    };
    if (whole > begin)
      multiply(begin, whole - begin,
               y.columns_at(begin * kPanelRows, (whole - begin) * kPanelRows));
    if (whole == end) return;
    Tensor wide(values.rows, kPanelRows);
    multiply(whole, 1, wide.view());
    const std::size_t first = whole * kPanelRows;
    for (std::size_t r = 0; r < values.rows; ++r)
      std::copy_n(wide.view().row(r), outputs - first, y.row(r) + first);
  });
}

}  // namespace nibble
