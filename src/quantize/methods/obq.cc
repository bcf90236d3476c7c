// Optimal Brain Quantization (Frantar & Alistarh 2022, arXiv 2208.11580, algorithm 3): row by row
// the weight whose rounding costs least, (w − q)² / [H⁻¹]_cc, is fixed, and what it loses spread
// over all weights that are left through the exact inverse of what is left of H. What GPTQ takes
// the shortcut to: n³ / 3 for each row of n weights instead of n². For small layers.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/parallel.h"
#include "base/text.h"
#include "quantize/layer/feedback_options.h"
#include "quantize/layer/inverse_factor.h"
#include "quantize/layer/layer_error.h"
#include "quantize/layer/rounding.h"

namespace nibble::methods {
namespace {

constexpr std::size_t kMostColumns = 1024;

// H⁻¹ [n, n], damped until there is one, dead columns left out of it; empty: there is none.
std::vector<double> damped_inverse(const Task& task, Outcome& outcome) {
  const std::size_t n = task.hessian.rows;
  const auto factor = damped_factor({task.hessian, {}, task.options.number("damping")});
  if (!factor) return {};
  outcome.damping = factor->damping;
  if (factor->raised)
    outcome.notes.push_back(cat("damping raised to ", factor->damping, " of the mean diagonal"));
  std::vector<double> inverse(n * n);
  const ConstMatrix u = factor->upper.view();
  parallel_ranges(n, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t k = 0; k <= i; ++k)  // U is upper triangular
        for (std::size_t j = k; j < n; ++j)
          inverse[i * n + j] += static_cast<double>(u(k, i)) * static_cast<double>(u(k, j));
  });
  return inverse;
}

// One row on its way: what is left of it lies in front, in no order.
class Row {
 public:
  Row(const Rounder& rounder, Codes& codes, const std::vector<double>& inverse)
      : rounder_(rounder), codes_(codes), start_(inverse), columns_(codes.columns) {}

  void run(const float* weights, std::size_t row) {
    row_ = row;
    left_ = columns_.size();
    std::iota(columns_.begin(), columns_.end(), std::size_t{0});
    weights_.assign(weights, weights + left_);
    inverse_ = start_;
    while (left_ > 0) fix(cheapest());
  }

 private:
  double& inverse(std::size_t i, std::size_t j) { return inverse_[i * columns_.size() + j]; }

  Code nearest(std::size_t place, double& lost) const {
    const GroupParams params = codes_.params(row_, codes_.group_of(columns_[place]));
    const auto weight = static_cast<float>(weights_[place]);
    const Code code = rounder_.nearest(&weight, params);
    lost = weights_[place] - static_cast<double>(rounder_.grid().value(code, params));
    return code;
  }

  std::size_t cheapest() {
    std::size_t best = 0;
    double least = INFINITY;
    for (std::size_t i = 0; i < left_; ++i) {
      double lost = 0;
      nearest(i, lost);
      const double cost = lost * lost / inverse(i, i);
      // Places move about: among equals the first column counts, so that the result is one.
      if (cost < least || (cost == least && columns_[i] < columns_[best])) {
        least = cost;
        best = i;
      }
    }
    return best;
  }

  void fix(std::size_t place) {
    double lost = 0;
    codes_.set_code(row_, columns_[place], nearest(place, lost));
    const double diagonal = inverse(place, place);
    column_.resize(left_);
    for (std::size_t i = 0; i < left_; ++i) column_[i] = inverse(i, place);
    // The last one takes its place.
    --left_;
    std::swap(columns_[place], columns_[left_]);
    std::swap(weights_[place], weights_[left_]);
    std::swap(column_[place], column_[left_]);
    for (std::size_t i = 0; i <= left_; ++i) std::swap(inverse(i, place), inverse(i, left_));
    for (std::size_t j = 0; j <= left_; ++j) std::swap(inverse(place, j), inverse(left_, j));
    for (std::size_t i = 0; i < left_; ++i) {
      weights_[i] -= lost / diagonal * column_[i];
      const double factor = column_[i] / diagonal;
      double* const row = &inverse(i, 0);
      for (std::size_t j = 0; j < left_; ++j) row[j] -= factor * column_[j];
    }
  }

  const Rounder& rounder_;
  Codes& codes_;
  const std::vector<double>& start_;
  std::size_t row_ = 0, left_ = 0;
  std::vector<std::size_t> columns_;  // the column at each place
  std::vector<double> weights_, inverse_, column_;
};

Outcome quantize(const Task& task) {
  const auto rounder = make_rounder(*task.grid, task.storable, task.options);
  Outcome outcome;
  const std::vector<float> diagonal = importance_of(task);
  outcome.codes = fit_groups(task.weight, *rounder, task.group_size, diagonal);
  for (const float power : diagonal) outcome.dead_columns += power <= 0 ? 1 : 0;
  const std::vector<double> inverse =
      diagonal.empty() ? std::vector<double>() : damped_inverse(task, outcome);
  if (inverse.empty()) {
    outcome.fallback = true;
    outcome.notes.emplace_back("rounded to nearest: the Hessian has no inverse");
    round_all(task.weight, *rounder, outcome.codes);
  } else {
    parallel_ranges(task.weight.rows, 1, [&](std::size_t begin, std::size_t end) {
      Row row(*rounder, outcome.codes, inverse);
      for (std::size_t r = begin; r < end; ++r) row.run(task.weight.row(r), r);
    });
  }
  measure(task, outcome);
  return outcome;
}

std::string refusal(const CodeShape& shape, const Storable&, const Options&) {
  if (shape.grid->dimension != 1)
    return cat("obq fixes weights one by one, and a code of ", shape.grid->name, " stands for ",
               shape.grid->dimension, "; gptq takes such grids");
  if (shape.columns > kMostColumns)
    return cat("obq would work for very long on rows of ", shape.columns,
               " weights; it takes up to ", kMostColumns, ". gptq does nearly the same");
  return {};
}

constexpr std::array kOptions = {&kScalesOption, &kSymmetryOption, &kDampingOption};

}  // namespace

extern const Method obq{
    .name = "obq",
    .summary = "exact greedy error feedback, for rows of up to 1024 weights",
    .needs = Needs::kHessian,
    .options = kOptions,
    .refusal = refusal,
    .quantize = quantize,
    .cost_power = 2,
};

}  // namespace nibble::methods
