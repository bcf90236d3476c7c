#include "nn/backward/linear_gradient.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/inputs/bfloat16_rows.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

using Rounded = MatrixView<const std::uint16_t>;

// Rows of the weights decoded at once: what is decoded stays in a cache that all threads share, and
// threads wait for each other a few times only.
constexpr std::size_t kDecodedRows = 1024;
constexpr std::size_t kTokenTile = 256, kInputTile = 256, kDecodeGrain = 16;

template <typename T>
void add_tiles(MatrixView<const T> dy, MatrixView<const T> w, Matrix dx) {
  const std::size_t down = (dx.rows + kTokenTile - 1) / kTokenTile;
  const std::size_t along = (dx.columns + kInputTile - 1) / kInputTile;
  parallel_for(down * along, [&](std::size_t i) {
    const std::size_t row = i % down * kTokenTile, column = i / down * kInputTile;
    const std::size_t rows = std::min(kTokenTile, dx.rows - row);
    const std::size_t columns = std::min(kInputTile, dx.columns - column);
    add_matmul_plain(dy.rows_at(row, rows), w.columns_at(column, columns),
                     dx.rows_at(row, rows).columns_at(column, columns));
  });
}

}  // namespace

void Linear::add_input_gradient(ConstMatrix dy, Matrix dx, Compute compute) const {
  const bool rounds = float_compute(compute) == Compute::kBfloat16;
  const std::size_t most = std::min(kDecodedRows, outputs());
  const auto small_dy = rounds ? to_bfloat16(dy) : std::vector<std::uint16_t>();
  Tensor floats(rounds ? 0 : most, inputs());
  std::vector<std::uint16_t> halves(rounds ? most * inputs() : 0);
  for (std::size_t first = 0; first < outputs(); first += kDecodedRows) {
    const std::size_t rows = std::min(kDecodedRows, outputs() - first);
    parallel_ranges(rows, kDecodeGrain, [&](std::size_t begin, std::size_t end) {
      if (!rounds) return decode(first + begin, floats.view().rows_at(begin, end - begin));
      Tensor some(end - begin, inputs());
      decode(first + begin, some.view());
      kernels().float_to_bfloat16(some.data(), halves.data() + begin * inputs(), some.size());
    });
    if (rounds)
      add_tiles(Rounded(small_dy.data(), dy.rows, dy.columns).columns_at(first, rows),
                Rounded(halves.data(), rows, inputs()), dx);
    else
      add_tiles(dy.columns_at(first, rows), ConstMatrix(floats.view()).rows_at(0, rows), dx);
  }
}

void add_weight_gradient(ConstMatrix x, ConstMatrix dy, Matrix dw) { add_cross(dy, x, dw); }

void add_bias_gradient(ConstMatrix dy, std::span<float> db) {
  for (std::size_t r = 0; r < dy.rows; ++r)
    kernels().add_scaled(1, dy.row(r), db.data(), dy.columns);
}

}  // namespace nibble
