// GPTQ (Frantar et al. 2022): columns are quantized one after another; what each loses is taken up
// by the columns still to come, through U with H⁻¹ = UᵀU: e = (w − q) / U_ii, w_j −= e · U_ij.
// Beyond the paper: scales are searched with each column weighted by E[x²] before the first
// column is touched (static groups), and afterwards codes, scales and zeros are polished by
// coordinate descent on the layer's own error tr((W−Ŵ)H(W−Ŵ)ᵀ), which can only fall.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/parallel.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"
#include "quantize/inverse_factor.h"
#include "quantize/polisher.h"
#include "quantize/rounding.h"

namespace nibble::methods {
namespace {

constexpr std::size_t kBlock = 128;   // columns whose feedback is applied at once to the rest
constexpr std::size_t kRowTile = 32;  // rows that travel through all columns together
constexpr int kDampingSteps = 12;

using Order = std::vector<std::size_t>;  // order[position] = column

// Columns by falling diagonal.
Order by_diagonal(std::span<const float> diagonal) {
  Order order(diagonal.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return diagonal[a] > diagonal[b]; });
  return order;
}

// Falling inside each group, groups by their largest (group-aware reordering, arXiv 2505.14638).
Order by_group(std::span<const float> diagonal, std::size_t group_size) {
  const Order all = by_diagonal(diagonal);
  Order groups;
  std::vector<bool> seen((diagonal.size() + group_size - 1) / group_size);
  for (const std::size_t column : all)
    if (!seen[column / group_size]) {
      seen[column / group_size] = true;
      groups.push_back(column / group_size);
    }
  Order order;
  for (const std::size_t group : groups)
    for (const std::size_t column : all)
      if (column / group_size == group) order.push_back(column);
  return order;
}

Order choose_order(const Task& task, std::span<const float> diagonal) {
  switch (task.options.order) {
    case ColumnOrder::kStatic:
    case ColumnOrder::kGroupIndex:
      return by_diagonal(diagonal);
    case ColumnOrder::kGroupAware:
      return by_group(diagonal, task.group_size);
    case ColumnOrder::kNone:
      break;
  }
  Order order(diagonal.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

// H in processing order, dead columns given a diagonal of 1.
Tensor ordered_hessian(ConstMatrix hessian, const Order& order, std::span<const float> diagonal) {
  Tensor out(order.size(), order.size());
  parallel_ranges(order.size(), 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < order.size(); ++c) {
        const bool dead = diagonal[order[r]] <= 0 || diagonal[order[c]] <= 0;
        out.view()(r, c) = dead ? (r == c ? 1.0f : 0.0f) : hessian(order[r], order[c]);
      }
  });
  return out;
}

// Adds damping until H has an inverse factor: the asked share of the mean diagonal, then ten times
// as much at each step.
std::optional<Tensor> damped_factor(Tensor& hessian, const Task& task, Outcome& outcome) {
  const Matrix h = hessian.view();
  double mean = 0;
  for (std::size_t i = 0; i < h.rows; ++i) mean += h(i, i);
  mean /= static_cast<double>(h.rows);
  if (!std::isfinite(mean) || mean <= 0) return std::nullopt;
  double added = 0, share = task.options.damping;
  for (int step = 0; step < kDampingSteps; ++step) {
    for (std::size_t i = 0; i < h.rows; ++i) h(i, i) += static_cast<float>((share - added) * mean);
    added = share;
    if (auto factor = inverse_factor(h)) {
      outcome.damping = share;
      if (step > 0)
        outcome.notes.push_back(cat("damping raised to ", share, " of the mean diagonal"));
      return factor;
    }
    share = std::max(share * 10, 1e-4);
  }
  return std::nullopt;
}

// The rows of one tile on their way through the columns.
class RowTile {
 public:
  RowTile(const Task& task, const Order& order, const Tensor& factor, std::size_t first,
          std::size_t count, Codes& codes)
      : task_(task),
        order_(order),
        u_(factor.view()),
        first_(first),
        codes_(codes),
        weight_(count, order.size()) {
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t p = 0; p < order.size(); ++p)
        weight_.view()(r, p) = task.weight(first + r, order[p]);
  }

  void run() {
    const Matrix w = weight_.view();
    Tensor errors(w.rows, kBlock), update;
    for (std::size_t begin = 0; begin < order_.size(); begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, order_.size());
      for (std::size_t r = 0; r < w.rows; ++r) quantize_row(r, begin, end, errors.view().row(r));
      const std::size_t rest = order_.size() - end;
      if (rest == 0) break;
      update = Tensor(w.rows, rest);
      matmul_plain(errors.view().columns_at(0, end - begin),
                   ConstMatrix(u_.row(begin) + end, end - begin, rest, u_.stride), update.view());
      for (std::size_t r = 0; r < w.rows; ++r)
        kernels().add_scaled(-1, update.view().row(r), w.row(r) + end, rest);
    }
  }

 private:
  void quantize_row(std::size_t r, std::size_t begin, std::size_t end, float* errors) {
    float* w = weight_.view().row(r);
    const std::size_t groups = codes_.groups();
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t column = order_[p];
      const std::size_t at = (first_ + r) * groups + codes_.group_of(column);
      if (task_.options.order == ColumnOrder::kGroupIndex && p % task_.group_size == 0)
        fit_run(r, p, at);
      const GroupParams params{codes_.scales[at], codes_.zeros[at]};
      const std::uint8_t code = task_.grid->nearest(w[p], params);
      codes_.row(first_ + r)[column] = code;
      const float error = (w[p] - task_.grid->value(code, params)) / u_(p, p);
      errors[p - begin] = error;
      kernels().add_scaled(-error, u_.row(p) + p + 1, w + p + 1, end - p - 1);
    }
  }

  // Groups are runs of the processing order: their scales come from the weights as corrected so
  // far.
  void fit_run(std::size_t r, std::size_t p, std::size_t at) {
    const std::size_t count = std::min(task_.group_size, order_.size() - p);
    std::vector<float> importance(count);
    for (std::size_t i = 0; i < count; ++i)
      importance[i] = task_.hessian(order_[p + i], order_[p + i]);
    const GroupParams params =
        task_.grid->fit({weight_.view().row(r) + p, count}, importance, task_.options.scales);
    codes_.scales[at] = params.scale;
    codes_.zeros[at] = params.zero;
  }

  const Task& task_;
  const Order& order_;
  ConstMatrix u_;
  std::size_t first_;
  Codes& codes_;
  Tensor weight_;
};

void feed_back(const Task& task, const Order& order, const Tensor& factor, Codes& codes) {
  parallel_ranges(task.weight.rows, kRowTile, [&](std::size_t begin, std::size_t end) {
    RowTile(task, order, factor, begin, end - begin, codes).run();
  });
}

void polish(const Task& task, Codes& codes) {
  const Polisher polisher(task, codes);
  parallel_ranges(task.weight.rows, kRowTile,
                  [&](std::size_t begin, std::size_t end) { polisher.run(begin, end); });
}

Outcome rounded(const Task& task, std::string why) {
  Outcome outcome = named("rtn").quantize(task);
  outcome.fallback = true;
  outcome.notes.push_back(std::move(why));
  return outcome;
}

Outcome quantize(const Task& task) {
  const std::vector<float> diagonal = importance_of(task.hessian);
  if (diagonal.empty()) return rounded(task, "rounded to nearest: there is no calibration");
  for (const float value : diagonal)
    if (!std::isfinite(value))
      return rounded(task, "rounded to nearest: the inputs are not finite");

  Outcome outcome;
  outcome.dead_columns = static_cast<std::size_t>(
      std::count_if(diagonal.begin(), diagonal.end(), [](float value) { return value <= 0; }));
  const Order order = choose_order(task, diagonal);
  Tensor hessian = ordered_hessian(task.hessian, order, diagonal);
  const auto factor = damped_factor(hessian, task, outcome);
  if (!factor) {
    Outcome fallback =
        rounded(task, "rounded to nearest: the Hessian has no inverse at any damping");
    fallback.dead_columns = outcome.dead_columns;
    return fallback;
  }
  hessian = Tensor();
  outcome.codes =
      fit_groups(task.weight, *task.grid, task.group_size, diagonal, task.options.scales);
  if (task.options.order == ColumnOrder::kGroupIndex) {
    outcome.codes.group_index.resize(order.size());
    for (std::size_t p = 0; p < order.size(); ++p)
      outcome.codes.group_index[order[p]] = static_cast<std::int32_t>(p / task.group_size);
  }
  feed_back(task, order, *factor, outcome.codes);
  // The textbook's own result is wanted where its own scales are asked for.
  if (task.options.scales != ScaleSearch::kAbsMax) polish(task, outcome.codes);
  measure(task, outcome);
  return outcome;
}

}  // namespace

extern const Method gptq{
    .name = "gptq",
    .summary = "error feedback through the inputs' second moments; needs calibration",
    .needs = Needs::kHessian,
    .quantize = quantize,
};

}  // namespace nibble::methods
