#include "nn/row_tiles.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"
#include "nn/panels/bfloat16_panels.h"

namespace nibble {
namespace {

// Row by row, so that each gives the same whatever stands beside it.
void multiply_few(ConstMatrix x, std::size_t outputs, const DecodeRows& decode, Matrix y) {
  parallel_ranges(outputs, kGemvRows, [&](std::size_t begin, std::size_t end) {
    Tensor tile(end - begin, x.columns);
    decode(begin, tile.view());
    for (std::size_t t = 0; t < x.rows; ++t)
      kernels().gemv_float(tile.data(), x.columns, x.row(t), end - begin, x.columns,
                           y.row(t) + begin);
  });
}

}  // namespace

void add_bias(const float* bias, Matrix y) {
  if (bias == nullptr) return;
  for (std::size_t r = 0; r < y.rows; ++r)
    for (std::size_t c = 0; c < y.columns; ++c) y(r, c) += bias[c];
}

void multiply_row_tiles(const LayerInput& input, std::size_t outputs, const DecodeRows& decode,
                        const float* bias, Matrix y, Compute compute) {
  const ConstMatrix x = input.values();
  if (x.rows <= kFewTokens) {
    multiply_few(x, outputs, decode, y);
    return add_bias(bias, y);
  }
  compute = float_compute(compute);
  if (compute == Compute::kBfloat16 && has_bfloat16_panels()) {
    multiply_bfloat16_panels(
        input, outputs,
        [&](std::size_t panel, std::uint16_t* out) {
          const std::size_t first = panel * kPanelRows;
          thread_local std::vector<float> rows;
          rows.resize(kPanelRows * x.columns);
          const Matrix part(rows.data(), std::min(kPanelRows, outputs - first), x.columns);
          decode(first, part);
          kernels().tiles->panel_of_float(part.values, part.stride, part.rows, part.columns, out);
        },
        y);
    return add_bias(bias, y);
  }
  const std::uint16_t* rounded = compute == Compute::kBfloat16 ? input.bfloat16().data() : nullptr;
  parallel_ranges(outputs, kRowTile, [&](std::size_t begin, std::size_t end) {
    Tensor tile(end - begin, x.columns);
    decode(begin, tile.view());
    const Matrix part = y.columns_at(begin, end - begin);
    if (compute == Compute::kBfloat16) {
      std::vector<std::uint16_t> small(tile.size());
      kernels().float_to_bfloat16(tile.data(), small.data(), tile.size());
      matmul(MatrixView<const std::uint16_t>(rounded, x.rows, x.columns),
             MatrixView<const std::uint16_t>(small.data(), tile.rows(), tile.columns()), part);
    } else {
      matmul(x, tile.view(), part);
    }
  });
  add_bias(bias, y);
}

}  // namespace nibble
