#include "nn/panels/bfloat16_panels.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {
namespace {

constexpr std::size_t kTileValues = kPanelRows * kBlockColumns;
constexpr std::size_t kStripBytes = std::size_t{1} << 20;  // half of such CPUs' second cache

std::size_t blocks_of(std::size_t columns) { return (columns + kBlockColumns - 1) / kBlockColumns; }

}  // namespace

bool has_bfloat16_panels() { return kernels().tiles != nullptr; }

Bfloat16Product::Bfloat16Product(const LayerInput& x)
    : tiles_(x.bfloat16_tiles().data()), blocks_(blocks_of(x.values().columns)) {}

std::size_t Bfloat16Product::strip() const {
  // Whole pairs: two panels share what is loaded of x.
  const std::size_t pairs = kStripBytes / (2 * blocks_ * kTileValues * sizeof(std::uint16_t));
  return 2 * std::clamp<std::size_t>(pairs, 1, 8);
}

void Bfloat16Product::make(std::size_t first, std::size_t count, const FillPanel& fill,
                           Panels& panels) const {
  const std::size_t panel_values = blocks_ * kTileValues;
  panels.resize(count * panel_values);
  for (std::size_t p = 0; p < count; ++p) fill(first + p, panels.data() + p * panel_values);
}

void Bfloat16Product::multiply(const Panels& panels, std::size_t first_row, Matrix y) const {
  kernels().tiles->gemm(panels.data(), panels.size() / (blocks_ * kTileValues),
                        tiles_ + first_row * blocks_ * kBlockColumns, y.rows, blocks_, y.values,
                        y.stride);
}

void multiply_bfloat16_panels(const LayerInput& x, std::size_t outputs, const FillPanel& fill,
                              Matrix y) {
  const Bfloat16Product product(x);
  const std::size_t whole = outputs / kPanelRows, rest = outputs % kPanelRows;
  const auto run = [&](std::size_t begin, std::size_t end, Matrix part) {
    thread_local Bfloat16Product::Panels panels;
    product.make(begin, end - begin, fill, panels);
    product.multiply(panels, 0, part);
  };
  parallel_ranges(
      whole + (rest > 0 ? 1 : 0), product.strip(), [&](std::size_t begin, std::size_t end) {
        const std::size_t inside = std::min(end, whole);
        if (inside > begin)
          run(begin, inside, y.columns_at(begin * kPanelRows, (inside - begin) * kPanelRows));
        if (inside == end) return;
        // Panels are written whole: a last one that is wider than y.
        Tensor wide(y.rows, kPanelRows);
        run(whole, end, wide.view());
        for (std::size_t r = 0; r < y.rows; ++r)
          std::copy_n(wide.view().row(r), rest, y.row(r) + whole * kPanelRows);
      });
}

}  // namespace nibble
