// AWQ (Lin et al. 2023, arXiv 2306.00978): columns whose inputs are large are rounded more finely
// by making their weights larger and their inputs smaller. Factors s_c = (E[x_c²])^(α/2) of each
// input, scaled to a geometric mean of 1; α is searched for the least output error tr(D·H·Dᵀ) of
// rounding the scaled weights, and 0 (nothing) is among the choices. Beyond the paper: the error is
// that of the whole Hessian, and factors go into the norm in front, v's rows or up's rows,
// whichever makes the input.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "base/parallel.h"
#include "base/text.h"
#include "quantize/layer/layer_error.h"
#include "quantize/layer/rounding.h"
#include "quantize/recipe.h"
#include "quantize/transform.h"

namespace nibble::transforms {
namespace {

constexpr OptionSpec kSteps{.name = "awq-steps",
                            .help = "exponents tried between 0 and 1",
                            .initial = "20",
                            .lowest = 1,
                            .highest = 200,
                            .whole = true};
constexpr OptionSpec kRows{.name = "awq-rows",
                           .help = "rows of each layer that decide, spread over all of them",
                           .initial = "512",
                           .lowest = 1,
                           .highest = 1e6,
                           .whole = true};
constexpr std::array kOptions = {&kSteps, &kRows};
constexpr std::size_t kRowTile = 32;
constexpr float kLargestFactor = 1e4f;

// Mean square of the inputs behind each free factor.
std::vector<double> input_power(ConstMatrix hessian, std::size_t factors,
                                std::span<const std::uint32_t> of) {
  std::vector<double> sums(factors), counts(factors);
  for (std::size_t c = 0; c < hessian.rows; ++c) {
    const std::size_t f = of.empty() ? c : of[c];
    sums[f] += hessian(c, c);
    ++counts[f];
  }
  for (std::size_t f = 0; f < factors; ++f) sums[f] /= std::max(1.0, counts[f]);
  return sums;
}

std::vector<float> factors_of(std::span<const double> power, double exponent) {
  std::vector<float> factors(power.size(), 1.0f);
  double mean = 0;
  std::size_t used = 0;
  for (const double p : power)
    if (p > 0) {
      mean += std::log(p);
      ++used;
    }
  mean = used > 0 ? mean / static_cast<double>(used) : 0;
  for (std::size_t f = 0; f < power.size(); ++f)
    if (power[f] > 0)
      factors[f] =
          std::clamp(static_cast<float>(std::exp(exponent / 2 * (std::log(power[f]) - mean))),
                     1 / kLargestFactor, kLargestFactor);
  return factors;
}

// Some rows of a layer, and what rounding them costs.
class Trial {
 public:
  Trial(ConstMatrix weight, const PlannedModule& module, ConstMatrix hessian, std::size_t rows)
      : rounder_(make_rounder(*module.shape.grid, module.storable, module.options)),
        group_size_(module.shape.group_size),
        hessian_(hessian),
        weight_(std::min(rows, weight.rows), weight.columns) {
    for (std::size_t r = 0; r < weight_.rows(); ++r)
      std::copy_n(weight.row(r * weight.rows / weight_.rows()), weight.columns,
                  weight_.view().row(r));
  }

  // tr(D·H·Dᵀ) with D = round(W·S)·S⁻¹ − W; scale [columns]
  double error(std::span<const float> scale) const {
    Tensor scaled = weight_.clone();
    const Matrix w = scaled.view();
    for (std::size_t r = 0; r < w.rows; ++r)
      for (std::size_t c = 0; c < w.columns; ++c) w(r, c) *= scale[c];
    std::vector<float> importance(w.columns);
    for (std::size_t c = 0; c < w.columns; ++c)
      importance[c] = hessian_(c, c) / (scale[c] * scale[c]);
    Codes codes = fit_groups(w, *rounder_, group_size_, importance);
    round_all(w, *rounder_, codes);
    std::vector<double> sums((w.rows + kRowTile - 1) / kRowTile);
    parallel_for(sums.size(), [&](std::size_t tile) {
      const std::size_t first = tile * kRowTile, count = std::min(kRowTile, w.rows - first);
      Tensor lost(count, w.columns);
      decode_rows(codes, first, lost.view());
      for (std::size_t r = 0; r < count; ++r)
        for (std::size_t c = 0; c < w.columns; ++c)
          lost.view()(r, c) = lost.view()(r, c) / scale[c] - weight_.view()(first + r, c);
      sums[tile] = weighted_square(lost.view(), hessian_);
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }

 private:
  std::unique_ptr<Rounder> rounder_;
  std::size_t group_size_;
  ConstMatrix hessian_;
  Tensor weight_;
};

std::vector<float> by_column(std::span<const float> factors, std::span<const std::uint32_t> of,
                             std::size_t columns) {
  std::vector<float> scale(columns);
  for (std::size_t c = 0; c < columns; ++c) scale[c] = factors[of.empty() ? c : of[c]];
  return scale;
}

// The best factors for the layers of one stage; empty where scaling does not help.
std::vector<float> best_factors(const TransformTask& task, Stage stage, std::string& note) {
  const ConstMatrix hessian = task.hessians[static_cast<std::size_t>(stage)];
  if (hessian.rows == 0) return {};
  std::vector<Trial> trials;
  for (const Role role : roles_of(stage))
    if (const PlannedModule* module = task.modules[static_cast<std::size_t>(role)])
      trials.emplace_back(task.block.weight(role), *module, hessian,
                          static_cast<std::size_t>(task.options.number("awq-rows")));
  if (trials.empty()) return {};
  const auto of = task.block.scale_of(stage);
  const auto power = input_power(hessian, task.block.scalable(stage), of);
  const int steps = static_cast<int>(task.options.number("awq-steps"));
  double least = 0, plain = 0;
  std::vector<float> best;
  for (int step = 0; step <= steps; ++step) {
    const auto factors = factors_of(power, static_cast<double>(step) / steps);
    const auto scale = by_column(factors, of, hessian.rows);
    double error = 0;
    for (const Trial& trial : trials) error += trial.error(scale);
    if (step == 0) plain = error;
    if (step > 0 && !(error < least)) continue;
    least = error;
    best = step == 0 ? std::vector<float>() : factors;
    if (step > 0) note = cat("exponent ", static_cast<double>(step) / steps);
  }
  if (!best.empty()) note += cat(", rounding error ", static_cast<int>(100 * least / plain), " %");
  return best;
}

std::vector<std::string> apply(const TransformTask& task) {
  std::vector<std::string> notes;
  for (const Stage stage : kStages) {
    std::string note;
    const auto factors = best_factors(task, stage, note);
    if (factors.empty()) continue;
    task.block.fold(stage, factors);
    notes.push_back(cat(module_name(roles_of(stage).front()), ": ", note));
  }
  return notes;
}

}  // namespace

extern const Transform awq{
    .name = "awq",
    .summary = "scales columns by the size of their inputs, folded into the layer in front",
    .options = kOptions,
    .apply = apply,
};

}  // namespace nibble::transforms
