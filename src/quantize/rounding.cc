#include "quantize/rounding.h"

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 16;
constexpr std::size_t kMeasureRows = 64;

}  // namespace

std::vector<float> importance_of(ConstMatrix hessian) {
  std::vector<float> importance(hessian.rows);
  for (std::size_t i = 0; i < hessian.rows; ++i) importance[i] = hessian(i, i);
  return importance;
}

Codes fit_groups(ConstMatrix weight, const Grid& grid, std::size_t group_size,
                 std::span<const float> importance, ScaleSearch search) {
  Codes codes = make_codes(weight.rows, weight.columns, grid.bits(), group_size);
  const std::size_t groups = codes.groups();
  parallel_ranges(weight.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t g = 0; g < groups; ++g) {
        const std::size_t first = g * group_size;
        const std::size_t count = std::min(group_size, weight.columns - first);
        const GroupParams params =
            grid.fit({weight.row(r) + first, count},
                     importance.empty() ? importance : importance.subspan(first, count), search);
        codes.scales[r * groups + g] = params.scale;
        codes.zeros[r * groups + g] = params.zero;
      }
  });
  return codes;
}

void round_all(ConstMatrix weight, const Grid& grid, Codes& codes) {
  const std::size_t groups = codes.groups();
  parallel_ranges(weight.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < weight.columns; ++c) {
        const std::size_t at = r * groups + codes.group_of(c);
        codes.row(r)[c] = grid.nearest(weight(r, c), {codes.scales[at], codes.zeros[at]});
      }
  });
}

void measure(const Task& task, Outcome& outcome) {
  const ConstMatrix weight = task.weight;
  const std::size_t tiles = (weight.rows + kMeasureRows - 1) / kMeasureRows;
  struct Sums {
    double lost = 0, all = 0, lost_output = 0, all_output = 0;
  };
  std::vector<Sums> sums(tiles);
  parallel_for(tiles, [&](std::size_t tile) {
    const std::size_t first = tile * kMeasureRows,
                      count = std::min(kMeasureRows, weight.rows - first);
    Tensor difference(count, weight.columns), products(count, weight.columns);
    decode_rows(outcome.codes, first, difference.view());
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t c = 0; c < weight.columns; ++c)
        difference.view()(r, c) -= weight(first + r, c);
    Sums& sum = sums[tile];
    const auto add_products = [&](ConstMatrix values, double& total) {
      matmul(values, task.hessian, products.view());
      for (std::size_t r = 0; r < count; ++r)
        total += kernels().dot(values.row(r), products.view().row(r), values.columns);
    };
    for (std::size_t r = 0; r < count; ++r) {
      sum.lost += kernels().square_sum(difference.view().row(r), weight.columns);
      sum.all += kernels().square_sum(weight.row(first + r), weight.columns);
    }
    if (task.hessian.rows == 0) return;
    add_products(difference.view(), sum.lost_output);
    add_products(weight.rows_at(first, count), sum.all_output);
  });
  Sums total;
  for (const Sums& sum : sums) {
    total.lost += sum.lost;
    total.all += sum.all;
    total.lost_output += sum.lost_output;
    total.all_output += sum.all_output;
  }
  outcome.weight_error = total.all > 0 ? total.lost / total.all : 0;
  outcome.output_error =
      total.all_output > 0 ? std::max(0.0, total.lost_output) / total.all_output : 0;
}

}  // namespace nibble
