#include "nn/tile_product.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/panels/panel_ranges.h"

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

TileProduct::TileProduct(const LayerInput& x)
    : tiles_(x.bfloat16_tiles().data()), blocks_(blocks_of(x.values().columns)) {}

std::size_t TileProduct::strip() const {
  // Whole pairs: two panels share what is loaded of x.
  const std::size_t pairs = kStripBytes / (2 * blocks_ * kTileValues * sizeof(std::uint16_t));
  return 2 * std::clamp<std::size_t>(pairs, 1, 8);
}

void TileProduct::make(std::size_t first, std::size_t count, const FillPanel& fill,
                       Strip& strip) const {
  const std::size_t panel_values = blocks_ * kTileValues;
  strip.resize(count * panel_values);
  for (std::size_t p = 0; p < count; ++p) fill(first + p, strip.data() + p * panel_values);
}

void TileProduct::multiply(const Strip& strip, std::size_t first_row, Matrix y) const {
  kernels().tiles->gemm(strip.data(), strip.size() / (blocks_ * kTileValues),
                        tiles_ + first_row * blocks_ * kBlockColumns, y.rows, blocks_, y.values,
                        y.stride);
}

void tile_product(const LayerInput& x, std::size_t outputs, const FillPanel& fill, Matrix y) {
  const TileProduct product(x);
  for_panel_ranges(y.columns_at(0, outputs), product.strip(),
                   [&](std::size_t begin, std::size_t end, Matrix part) {
                     thread_local TileProduct::Strip strip;
                     product.make(begin, end - begin, fill, strip);
                     product.multiply(strip, 0, part);
                   });
}

}  // namespace nibble
