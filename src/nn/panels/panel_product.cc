#include "nn/panels/panel_product.h"

#include <algorithm>

#include "base/parallel.h"

namespace nibble {
namespace {

constexpr std::size_t kFewRows = 8;   // above, unpacking the weights once pays
constexpr std::size_t kTileRows = 3;  // from there on tiles of a few rows pay
constexpr std::size_t kStrip = 4;     // panels made dense together: they stay in the second cache

constexpr DenseForm kDenseForms[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) dense_form(bits, table, scales, offset),
#include "kernels/panels.def"
#undef PANEL
};

constexpr std::size_t kRowStep = 96;  // whole tiles of every instruction set

}  // namespace

bool multiplies_bytes(std::size_t rows) {
  return !has_tile_product() || rows <= kernels().tiles->few_rows;
}

PanelProduct::PanelProduct(const Panels& w, const LayerInput& x) : w_(w), rows_(x.values().rows) {
  if (!multiplies_bytes(rows_)) {
    tiles_ = std::make_unique<TileProduct>(x);
    grain_ = tiles_->strip();
    return;
  }
  few_ = x.bytes().view();
  if (rows_ <= kFewRows || has_tile_product()) {
    // Long runs, because each one's first reads wait for memory; a few for each thread, because
    // some threads are late.
    grain_ = std::max<std::size_t>(1, w.panels() / (3 * static_cast<std::size_t>(threads())));
    return;
  }
  bytes_ = &x.byte_tiles(kDenseForms[w.type()].offset);
  grain_ = kStrip;
}

std::size_t PanelProduct::row_step() const {
  return tiles_ != nullptr || bytes_ != nullptr ? kRowStep : std::max<std::size_t>(1, rows_);
}

void PanelProduct::make(std::size_t first, std::size_t count, DenseStrip& strip) const {
  const Kernels& table = kernels();
  const PanelType type = w_.type();
  const PanelRows w = w_.view();
  strip.first = first;
  strip.count = count;
  if (tiles_ != nullptr) {
    const auto expand = table.tiles->expand[type];
    tiles_->make(
        first, count, [&](std::size_t panel, std::uint16_t* out) { expand(&w, panel, out); },
        strip.tiles);
    return;
  }
  if (bytes_ == nullptr) return;
  const std::size_t blocks = w_.blocks();
  const bool has_lows = kDenseForms[type].has_lows != 0;
  strip.codes.resize(count * blocks * 512);
  strip.scales.resize(count * blocks * kPanelRows);
  strip.lows.resize(has_lows ? strip.scales.size() : 0);
  for (std::size_t p = 0; p < count; ++p)
    table.panels[type].expand(&w, first + p, strip.codes.data() + p * blocks * 512,
                              strip.scales.data() + p * blocks * kPanelRows,
                              has_lows ? strip.lows.data() + p * blocks * kPanelRows : nullptr);
}

void PanelProduct::multiply(const DenseStrip& strip, std::size_t first_row, Matrix y) const {
  const Kernels& table = kernels();
  const PanelType type = w_.type();
  if (tiles_ != nullptr) return tiles_->multiply(strip.tiles, first_row, y);
  if (bytes_ == nullptr) {
    const bool tiles = table.tiles != nullptr && rows_ >= kTileRows;
    const auto product = tiles ? table.tiles->products[type] : table.panels[type].product;
    PanelRows w = w_.view();
    w.panels += strip.first * w.panel_bytes;
    product(&w, 0, strip.count, &few_, rows_, y.values, y.stride);
    return;
  }
  const DensePanels dense{strip.codes.data(), strip.scales.data(),
                          strip.lows.empty() ? nullptr : strip.lows.data(), w_.blocks()};
  const std::size_t width = table.gemm_columns;
  const ByteTiles in = bytes_->from(first_row / width);
  table.int8_gemm(&dense, kDenseForms[type], strip.count, &in, 0, (y.rows + width - 1) / width,
                  y.rows, y.values, y.stride);
}

void PanelProduct::run(std::size_t first, std::size_t count, Matrix y) const {
  thread_local DenseStrip strip;
  make(first, count, strip);
  multiply(strip, 0, y);
}

}  // namespace nibble
