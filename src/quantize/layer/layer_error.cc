#include "quantize/layer/layer_error.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

constexpr std::size_t kMeasureRows = 64;

}  // namespace

double weighted_square(ConstMatrix rows, ConstMatrix hessian) {
  Tensor products(rows.rows, rows.columns);
  matmul(rows, hessian, products.view());
  double sum = 0;
  for (std::size_t r = 0; r < rows.rows; ++r)
    sum += kernels().dot(rows.row(r), products.view().row(r), rows.columns);
  return sum;
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
    Tensor difference(count, weight.columns);
    if (outcome.dense.rows() != 0)
      std::copy_n(outcome.dense.view().row(first), difference.size(), difference.data());
    else
      decode_rows(outcome.codes, first, difference.view());
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t c = 0; c < weight.columns; ++c)
        difference.view()(r, c) -= weight(first + r, c);
    Sums& sum = sums[tile];
    for (std::size_t r = 0; r < count; ++r) {
      sum.lost += kernels().square_sum(difference.view().row(r), weight.columns);
      sum.all += kernels().square_sum(weight.row(first + r), weight.columns);
    }
    if (task.hessian.rows == 0) return;
    sum.lost_output = weighted_square(difference.view(), task.hessian);
    sum.all_output = weighted_square(weight.rows_at(first, count), task.hessian);
  });
  Sums total;
  for (const Sums& sum : sums) {
    total.lost += sum.lost;
    total.all += sum.all;
    total.lost_output += sum.lost_output;
    total.all_output += sum.all_output;
  }
  outcome.weight_error = total.all > 0 ? total.lost / total.all : 0;
  if (task.hessian.rows != 0)
    outcome.output_error =
        total.all_output > 0 ? std::max(0.0, total.lost_output) / total.all_output : 0;
}

}  // namespace nibble
