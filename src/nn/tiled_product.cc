#include "nn/tiled_product.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"
#include "nn/tile_product.h"

namespace nibble {

std::vector<std::uint16_t> to_bfloat16(ConstMatrix x) {
  std::vector<std::uint16_t> rounded(x.rows * x.columns);
  parallel_ranges(x.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      kernels().float_to_bfloat16(x.row(r), rounded.data() + r * x.columns, x.columns);
  });
  return rounded;
}

void add_bias(const float* bias, Matrix y) {
  if (bias == nullptr) return;
  for (std::size_t r = 0; r < y.rows; ++r)
    for (std::size_t c = 0; c < y.columns; ++c) y(r, c) += bias[c];
}

Compute float_compute() { return cpu_has_bfloat16() ? Compute::kBfloat16 : Compute::kFloat32; }

void tiled_product(const LayerInput& input, std::size_t outputs, const DecodeRows& decode,
                   const float* bias, Matrix y, Compute compute) {
  const ConstMatrix x = input.values();
  if (compute == Compute::kInt8) compute = float_compute();
  if (compute == Compute::kBfloat16 && has_tile_product()) {
    tile_product(
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
