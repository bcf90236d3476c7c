// HQQ (Badri & Shaji 2023, mobiusml.github.io/hqq_blog): needs no data. What rounding cannot reach
// is taken for outliers: with the error split into a sparse part e, found by shrinking with an l_p
// norm of p = 0.7, and the rest, the zero of a group follows in closed form, zero = mean(q − (w −
// e)/s). Grids without a free zero have their scale moved instead: s = Σ q·(w − e) / Σ q². Both
// alternate with rounding while the error falls.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/parallel.h"
#include "base/text.h"
#include "quantize/layer/layer_error.h"
#include "quantize/layer/rounding.h"

namespace nibble::methods {
namespace {

constexpr double kNorm = 0.7, kStrength = 10, kGrowth = 1.01;
constexpr OptionSpec kRounds{.name = "hqq-rounds",
                             .help = "rounds of shrinking at most",
                             .initial = "20",
                             .lowest = 0,
                             .highest = 1000,
                             .whole = true};

// One group of one row on its way.
class Group {
 public:
  Group(const Rounder& rounder, std::span<const float> weights)
      : rounder_(rounder),
        grid_(rounder.grid()),
        weights_(weights),
        codes_(weights.size() / grid_.dimension),
        values_(weights.size()),
        best_(rounder.fit({weights, {}})) {}

  // The params with the least Σ |w − ŵ|^p met on the way.
  GroupParams run(int rounds) {
    GroupParams params = best_;
    double least = round(params), strength = kStrength;
    for (int i = 0; i < rounds; ++i, strength *= kGrowth) {
      params = moved(params, strength);
      const double error = round(params);
      if (!(error < least)) break;
      least = error;
      best_ = params;
    }
    return best_;
  }

 private:
  double round(GroupParams params) {
    rounder_.round(weights_, params, codes_);
    double sum = 0;
    for (std::size_t i = 0; i < codes_.size(); ++i)
      grid_.values(codes_[i], params, values_.data() + i * grid_.dimension);
    for (std::size_t i = 0; i < values_.size(); ++i)
      sum += std::pow(std::fabs(static_cast<double>(weights_[i]) - values_[i]), kNorm);
    return sum;
  }

  GroupParams moved(GroupParams params, double strength) const {
    double zero = 0, products = 0, squares = 0;
    std::array<float, kMaxDimension> units;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const double error = static_cast<double>(weights_[i]) - values_[i], size = std::fabs(error);
      const double kept =
          size > 0 ? std::max(0.0, size - std::pow(size, kNorm - 1) / strength) : 0.0;
      const double clean = weights_[i] - std::copysign(kept, error);
      const Code code = codes_[i / grid_.dimension];
      if (grid_.free_zeros()) {
        zero += code - clean / params.scale;
        continue;
      }
      grid_.values(code, {1, 0}, units.data());
      const double unit = units[i % grid_.dimension];
      products += unit * clean;
      squares += unit * unit;
    }
    if (grid_.free_zeros())
      params.zero =
          rounder_.stored_zero(static_cast<float>(zero / static_cast<double>(values_.size())));
    else if (squares > 0 && products / squares * params.scale > 0)
      params.scale = rounder_.stored_scale(static_cast<float>(products / squares));
    return params;
  }

  const Rounder& rounder_;
  const Grid& grid_;
  std::span<const float> weights_;
  std::vector<Code> codes_;
  std::vector<float> values_;
  GroupParams best_;
};

Outcome quantize(const Task& task) {
  // Of three values the largest weight as the scale leaves next to nothing that could be moved.
  const ScaleSearch start = task.grid->centred ? ScaleSearch::kMse : ScaleSearch::kAbsMax;
  const auto rounder = make_rounder(*task.grid, task.storable, Symmetry::kAsymmetric, start);
  const int rounds = static_cast<int>(task.options.number("hqq-rounds"));
  Outcome outcome;
  Codes& codes = outcome.codes;
  codes = make_codes(*task.grid, task.weight.rows, task.weight.columns, task.group_size);
  parallel_ranges(codes.rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t g = 0; g < codes.groups(); ++g) {
        const std::size_t first = g * codes.group_size;
        const std::size_t count = std::min(codes.group_size, codes.columns - first);
        codes.set_params(r, g, Group(*rounder, {task.weight.row(r) + first, count}).run(rounds));
      }
  });
  if (task.storable.together != nullptr) task.storable.together(codes);
  round_all(task.weight, *rounder, codes);
  measure(task, outcome);
  return outcome;
}

std::string refusal(const CodeShape& shape, const Storable& storable, const Options&) {
  if (shape.grid->free_zeros() && !storable.free_zeros)
    return "hqq moves zeros, and this layout has none; gptq and rtn write it";
  if (storable.blocks == nullptr || (!shape.grid->free_zeros() && !storable.blocks->joint()))
    return {};
  return cat("hqq moves ", shape.grid->free_zeros() ? "zeros" : "scales",
             " one by one, and blocks of ", storable.blocks->name,
             " have no room for that; gptq and rtn write them");
}

std::string note(const CodeShape& shape) {
  if (!shape.grid->centred) return {};
  return cat("hqq has next to nothing to move on ", shape.grid->name,
             ": what it writes is nearly what rtn writes, sooner; gptq loses less");
}

constexpr std::array kOptions = {&kRounds};

}  // namespace

extern const Method hqq{
    .name = "hqq",
    .summary = "zeros that spare the bulk of weights from outliers; no calibration",
    .options = kOptions,
    .refusal = refusal,
    .note = note,
    .quantize = quantize,
};

}  // namespace nibble::methods
