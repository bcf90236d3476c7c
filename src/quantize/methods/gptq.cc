// GPTQ (Frantar et al. 2022): columns are quantized one after another; what each loses is taken up
// by the columns still to come, through U with H⁻¹ = UᵀU: e = (w − q) / U_ii, w_j −= e · U_ij.
// Where a code stands for several weights it is chosen for all of them before their errors are fed
// on one by one (GPTVQ, arXiv 2402.15319), and orders move whole such vectors.
// Beyond the paper: scales are searched with each column weighted by E[x²] before the first
// column is touched (static groups), and afterwards codes, scales and zeros are polished by
// coordinate descent on the layer's own error tr((W−Ŵ)H(W−Ŵ)ᵀ), which can only fall.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"
#include "quantize/layer/feedback_options.h"
#include "quantize/layer/inverse_factor.h"
#include "quantize/layer/layer_error.h"
#include "quantize/layer/polisher.h"
#include "quantize/layer/rounding.h"

namespace nibble::methods {
namespace {

constexpr std::size_t kBlock = 128;   // columns whose feedback is applied at once to the rest
constexpr std::size_t kRowTile = 32;  // rows that travel through all columns together

using Order = std::vector<std::size_t>;  // order[position] = column, or vector of columns

enum class ColumnOrder {
  kStatic,      // by falling diag(H), groups fixed on the original columns beforehand
  kNone,        // left to right
  kGroupIndex,  // by falling diag(H), groups are runs of that order: needs g_idx in the file
  kGroupAware,  // sorted inside each group, groups by their largest: groups stay contiguous
};
constexpr std::array<std::string_view, 4> kOrders = {"static", "none", "gidx", "group-aware"};

ColumnOrder order_of(const Task& task) {
  const auto found = std::find(kOrders.begin(), kOrders.end(), task.options.text("act-order"));
  return static_cast<ColumnOrder>(found - kOrders.begin());
}

Order in_order(std::size_t count) {
  Order order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

// By falling value.
Order by_diagonal(std::span<const float> diagonal) {
  Order order = in_order(diagonal.size());
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

// Of columns; those that share a code stay beside each other.
Order choose_order(const Task& task, std::span<const float> diagonal) {
  const std::size_t dimension = task.grid->dimension;
  std::vector<float> sums(diagonal.size() / dimension);
  for (std::size_t c = 0; c < diagonal.size(); ++c) sums[c / dimension] += diagonal[c];
  Order vectors;
  switch (order_of(task)) {
    case ColumnOrder::kStatic:
    case ColumnOrder::kGroupIndex:
      vectors = by_diagonal(sums);
      break;
    case ColumnOrder::kGroupAware:
      vectors = by_group(sums, task.group_size / dimension);
      break;
    case ColumnOrder::kNone:
      vectors = in_order(sums.size());
  }
  Order order;
  for (const std::size_t vector : vectors)
    for (std::size_t k = 0; k < dimension; ++k) order.push_back(vector * dimension + k);
  return order;
}

// What all tiles of rows share.
struct Work {
  const Task& task;
  const Rounder& rounder;
  const Order& order;
  ConstMatrix factor;  // U
  bool fit_runs;       // groups are runs of the processing order
};

// The rows of one tile on their way through the columns.
class RowTile {
 public:
  RowTile(const Work& work, std::size_t first, std::size_t count, Codes& codes)
      : work_(work),
        order_(work.order),
        u_(work.factor),
        first_(first),
        codes_(codes),
        weight_(count, order_.size()) {
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t p = 0; p < order_.size(); ++p)
        weight_.view()(r, p) = work.task.weight(first + r, order_[p]);
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
    const Grid& grid = work_.rounder.grid();
    const std::size_t first_group = (first_ + r) * codes_.groups();
    float* w = weight_.view().row(r);
    float values[kMaxDimension];
    for (std::size_t p = begin; p < end; p += grid.dimension) {
      const std::size_t column = order_[p], group = codes_.group_of(column);
      if (work_.fit_runs && p % work_.task.group_size == 0) fit_run(r, p, group);
      const GroupParams params = codes_.params_at(first_group + group);
      const Code code = work_.rounder.nearest(w + p, params);
      codes_.set_code(first_ + r, codes_.index_of(column), code);
      grid.values(code, params, values);
      for (std::size_t k = 0; k < grid.dimension; ++k) {
        const std::size_t at = p + k;
        const float error = (w[at] - values[k]) / u_(at, at);
        errors[at - begin] = error;
        kernels().add_scaled(-error, u_.row(at) + at + 1, w + at + 1, end - at - 1);
      }
    }
  }

  // Groups are runs of the processing order: their scales come from the weights as corrected so
  // far.
  void fit_run(std::size_t r, std::size_t p, std::size_t group) {
    const std::size_t count = std::min(work_.task.group_size, order_.size() - p);
    std::vector<float> importance(count);
    for (std::size_t i = 0; i < count; ++i)
      importance[i] = work_.task.hessian(order_[p + i], order_[p + i]);
    codes_.set_params(first_ + r, group,
                      work_.rounder.fit({{weight_.view().row(r) + p, count}, importance}));
  }

  const Work& work_;
  const Order& order_;
  ConstMatrix u_;
  std::size_t first_;
  Codes& codes_;
  Tensor weight_;
};

void feed_back(const Work& work, Codes& codes) {
  parallel_ranges(work.task.weight.rows, kRowTile, [&](std::size_t begin, std::size_t end) {
    RowTile(work, begin, end - begin, codes).run();
  });
}

void polish(const Task& task, const Rounder& rounder, Codes& codes) {
  const Polisher polisher(task, rounder, codes);
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
  const std::vector<float> diagonal = importance_of(task);
  if (diagonal.empty()) return rounded(task, "rounded to nearest: there is no calibration");
  for (const float value : diagonal)
    if (!std::isfinite(value))
      return rounded(task, "rounded to nearest: the inputs are not finite");

  Outcome outcome;
  outcome.dead_columns = static_cast<std::size_t>(
      std::count_if(diagonal.begin(), diagonal.end(), [](float value) { return value <= 0; }));
  const Order order = choose_order(task, diagonal);
  const auto factor = damped_factor({task.hessian, order, task.options.number("damping")});
  if (!factor) {
    Outcome fallback =
        rounded(task, "rounded to nearest: the Hessian has no inverse at any damping");
    fallback.dead_columns = outcome.dead_columns;
    return fallback;
  }
  outcome.damping = factor->damping;
  if (factor->raised)
    outcome.notes.push_back(cat("damping raised to ", factor->damping, " of the mean diagonal"));
  const auto rounder = make_rounder(*task.grid, task.storable, task.options);
  const bool fit_runs = order_of(task) == ColumnOrder::kGroupIndex;
  outcome.codes = fit_groups(task.weight, *rounder, task.group_size, diagonal);
  if (fit_runs) {
    const std::size_t dimension = task.grid->dimension;
    outcome.codes.group_index.resize(order.size() / dimension);
    for (std::size_t p = 0; p < order.size(); p += dimension)
      outcome.codes.group_index[order[p] / dimension] =
          static_cast<std::int32_t>(p / task.group_size);
  }
  feed_back({task, *rounder, order, factor->upper.view(), fit_runs}, outcome.codes);
  // The textbook's own result is wanted where its own scales are asked for.
  if (!textbook_scales(task.options)) polish(task, *rounder, outcome.codes);
  measure(task, outcome);
  return outcome;
}

std::string refusal(const CodeShape& shape, const Storable& storable, const Options& options) {
  if (kBlock % shape.grid->dimension != 0)
    return cat("gptq feeds errors on through vectors of 1, 2, 4, 8 or 16 weights; ",
               shape.grid->name, " has ", shape.grid->dimension);
  if (options.text("act-order") != "gidx") return {};
  if (!storable.group_index)
    return "--act-order gidx puts columns into groups in an order that this layout cannot store";
  if (storable.joint())
    return "--act-order gidx finds scales one after another, and this layout stores them together";
  return {};
}

constexpr OptionSpec kActOrder{
    .name = "act-order",
    .help = "column order: static, none, gidx (groups in that order) or group-aware",
    .initial = "static",
    .words = kOrders};
constexpr std::array kOptions = {&kScalesOption,  &kSymmetryOption,   &kActOrder,
                                 &kDampingOption, &kDriftShareOption, &kDriftSamplesOption};

}  // namespace

extern const Method gptq{
    .name = "gptq",
    .summary = "error feedback through the inputs' second moments; needs calibration",
    .needs = Needs::kHessian,
    .options = kOptions,
    .refusal = refusal,
    .quantize = quantize,
};

}  // namespace nibble::methods
