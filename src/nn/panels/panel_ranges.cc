#include "nn/panels/panel_ranges.h"

#include <algorithm>

#include "base/parallel.h"
#include "nn/inputs/tiled_bytes.h"
#include "nn/panels/bfloat16_panels.h"

namespace nibble {
namespace {

constexpr std::size_t kFewRows = 8;   // above, unpacking the weights once pays
constexpr std::size_t kTileRows = 3;  // from there on tiles of a few rows pay
constexpr std::size_t kStrip = 4;     // panels made dense together: they stay in the second cache

static_assert(kRangeRows == kPanelRows);

constexpr DenseForm kDenseForms[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) dense_form(bits, table, scales, offset),
#include "kernels/panels.def"
#undef PANEL
};

// How rows of x are multiplied: as bytes with panels as they lie, as bytes with panels made dense,
// or as bfloat16 on tile registers.
enum class Way { kPanels, kDense, kBfloat16 };

Way way_of(const LayerInput& x) {
  const std::size_t rows = x.values().rows;
  if (!multiplies_bytes(rows)) return Way::kBfloat16;
  return rows <= kFewRows || has_bfloat16_panels() ? Way::kPanels : Way::kDense;
}

std::size_t panels_in(std::size_t outputs) { return (outputs + kPanelRows - 1) / kPanelRows; }

}  // namespace

bool multiplies_bytes(std::size_t rows) {
  return !has_bfloat16_panels() || rows <= kernels().tiles->few_rows;
}

PanelRanges::PanelRanges(std::unique_ptr<Panels> panels, const float* bias)
    : panels_(std::move(panels)), bias_(bias) {}

void PanelRanges::round(const LayerInput& x) const {
  switch (way_of(x)) {
    case Way::kPanels:
      x.bytes();
      break;
    case Way::kDense:
      x.byte_tiles(kDenseForms[panels_->type()].offset);
      break;
    case Way::kBfloat16:
      x.bfloat16_tiles();
      break;
  }
}

std::size_t PanelRanges::grain(const LayerInput& x) const {
  switch (way_of(x)) {
    case Way::kPanels: {
      // Long runs, because each one's first reads wait for memory; a few for each thread, because
      // some threads are late.
      const std::size_t runs = 3 * static_cast<std::size_t>(threads());
      return kPanelRows * std::max<std::size_t>(1, panels_->panels() / runs);
    }
    case Way::kDense:
      return kPanelRows * kStrip;
    case Way::kBfloat16:
      return kPanelRows * Bfloat16Product(x).strip();
  }
  return kPanelRows;
}

void PanelRanges::make(const LayerInput& x, std::size_t first, std::size_t count,
                       Strip& strip) const {
  const Kernels& table = kernels();
  const PanelType type = panels_->type();
  const PanelRows w = panels_->view();
  strip.first = first;
  strip.count = count;
  const std::size_t panel = first / kPanelRows, panels = panels_in(count);
  switch (way_of(x)) {
    case Way::kPanels:
      return;
    case Way::kBfloat16: {
      const auto expand = table.tiles->expand[type];
      return Bfloat16Product(x).make(
          panel, panels, [&](std::size_t index, std::uint16_t* out) { expand(&w, index, out); },
          strip.bfloat16);
    }
    case Way::kDense:
      break;
  }
  const std::size_t blocks = panels_->blocks();
  const bool has_lows = kDenseForms[type].has_lows != 0;
  strip.codes.resize(panels * blocks * 512);
  strip.scales.resize(panels * blocks * kPanelRows);
  strip.lows.resize(has_lows ? strip.scales.size() : 0);
  for (std::size_t p = 0; p < panels; ++p)
    table.panels[type].expand(&w, panel + p, strip.codes.data() + p * blocks * 512,
                              strip.scales.data() + p * blocks * kPanelRows,
                              has_lows ? strip.lows.data() + p * blocks * kPanelRows : nullptr);
}

void PanelRanges::multiply_panels(const LayerInput& x, const Strip& strip, std::size_t first_row,
                                  Matrix y) const {
  const Kernels& table = kernels();
  const PanelType type = panels_->type();
  const std::size_t panels = panels_in(strip.count);
  switch (way_of(x)) {
    case Way::kPanels: {
      const ByteRows bytes = x.bytes().view();
      const bool tiles = table.tiles != nullptr && y.rows >= kTileRows;
      const auto product = tiles ? table.tiles->products[type] : table.panels[type].product;
      PanelRows w = panels_->view();
      w.panels += strip.first / kPanelRows * w.panel_bytes;
      return product(&w, 0, panels, &bytes, y.rows, y.values, y.stride);
    }
    case Way::kDense: {
      const DensePanels dense{strip.codes.data(), strip.scales.data(),
                              strip.lows.empty() ? nullptr : strip.lows.data(), panels_->blocks()};
      const DenseForm form = kDenseForms[type];
      const std::size_t width = table.gemm_columns;
      const ByteTiles in = x.byte_tiles(form.offset).from(first_row / width);
      return table.int8_gemm(&dense, form, panels, &in, 0, (y.rows + width - 1) / width, y.rows,
                             y.values, y.stride);
    }
    case Way::kBfloat16:
      return Bfloat16Product(x).multiply(strip.bfloat16, first_row, y);
  }
}

void PanelRanges::multiply(const LayerInput& x, const Strip& strip, std::size_t first_row,
                           Matrix y) const {
  if (strip.count % kPanelRows == 0) {
    multiply_panels(x, strip, first_row, y);
  } else {  // panels are written whole, and the last one is wider than y
    thread_local AlignedVector<float> storage;
    const std::size_t width = panels_in(strip.count) * kPanelRows;
    storage.resize(y.rows * width);
    const Matrix wide(storage.data(), y.rows, width);
    multiply_panels(x, strip, first_row, wide);
    for (std::size_t r = 0; r < y.rows; ++r) std::copy_n(wide.row(r), y.columns, y.row(r));
  }
  if (bias_ == nullptr) return;
  for (std::size_t r = 0; r < y.rows; ++r)
    for (std::size_t c = 0; c < y.columns; ++c) y(r, c) += bias_[strip.first + c];
}

}  // namespace nibble
