#include "prune/units.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "base/text.h"
#include "nibble/error.h"
#include "nn/matmul.h"
#include "prune/amount.h"
#include "quantize/layer/feedback_options.h"
#include "quantize/layer/layer_error.h"
#include "quantize/layer/moments.h"

namespace nibble::pruning {
namespace {

using Columns = std::vector<std::size_t>;

constexpr double kMost = 1 << 24;
constexpr std::array<std::string_view, 2> kSwitch = {"on", "off"};
const OptionSpec kSectionsOption{.name = "sections",
                                 .help = "that lose equally many units",
                                 .initial = "1",
                                 .lowest = 1,
                                 .highest = kMost,
                                 .whole = true};
const OptionSpec kUnitOption{.name = "unit",
                             .help = "columns that go together",
                             .initial = "1",
                             .lowest = 1,
                             .highest = kMost,
                             .whole = true};
const OptionSpec kKeptOption{.name = "kept",
                             .help = "units that stay in each section",
                             .initial = "1",
                             .lowest = 1,
                             .highest = kMost,
                             .whole = true};
const OptionSpec kRepairOption{
    .name = "repair", .help = "columns that stay make up", .initial = "on", .words = kSwitch};

// [rows of `from`, columns]
Tensor gathered(ConstMatrix from, const Columns& columns) {
  Tensor part(from.rows, columns.size());
  parallel_ranges(from.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < columns.size(); ++c) part.view()(r, c) = from(r, columns[c]);
  });
  return part;
}

// [rows, columns]
Tensor gathered(ConstMatrix from, const Columns& rows, const Columns& columns) {
  Tensor part(rows.size(), columns.size());
  parallel_ranges(rows.size(), 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < columns.size(); ++c)
        part.view()(r, c) = from(rows[r], columns[c]);
  });
  return part;
}

double importance(const Task& task, std::size_t first, std::size_t unit) {
  const ConstMatrix weight = task.weight.columns_at(first, unit);
  if (unit > 1)
    return weighted_square(weight, task.hessian.rows_at(first, unit).columns_at(first, unit));
  double length = 0;
  for (std::size_t r = 0; r < weight.rows; ++r)
    length += static_cast<double>(weight(r, 0)) * static_cast<double>(weight(r, 0));
  return length * static_cast<double>(task.hessian(first, first));
}

// The columns that stay, in order.
Columns choose(const Task& task) {
  const auto sections = static_cast<std::size_t>(task.options.number("sections"));
  const auto unit = static_cast<std::size_t>(task.options.number("unit"));
  const auto kept = static_cast<std::size_t>(task.options.number("kept"));
  const std::size_t units = task.weight.columns / unit, each = units / sections;
  std::vector<double> scores(units);
  parallel_for(units, [&](std::size_t u) { scores[u] = importance(task, u * unit, unit); });
  Columns columns;
  for (std::size_t section = 0; section < sections; ++section) {
    std::vector<std::size_t> order(each);
    std::iota(order.begin(), order.end(), section * each);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
    for (std::size_t i = 0; i < kept; ++i)
      for (std::size_t k = 0; k < unit; ++k) columns.push_back(order[i] * unit + k);
  }
  return columns;
}

// W_r·H_rk·(H_kk + λI)⁻¹; no rows where there is no inverse.
Tensor repair(const Task& task, const Columns& kept, const Columns& gone) {
  const Tensor lost = gathered(task.weight, gone);
  const Tensor products = gathered(task.hessian, kept, gone);
  Tensor shared(task.weight.rows, kept.size());
  parallel_ranges(shared.rows(), 64, [&](std::size_t begin, std::size_t end) {
    matmul(lost.view().rows_at(begin, end - begin), products.view(),
           shared.view().rows_at(begin, end - begin));
  });
  const Tensor own = gathered(task.hessian, kept, kept);
  return drift_correction(own.view(), shared.view(), task.options.number("damping"), 1);
}

Outcome prune(const Task& task) {
  for (std::size_t c = 0; c < task.hessian.columns; ++c)
    if (!std::isfinite(task.hessian(c, c)))
      throw Error(ErrorKind::kNumeric, "its inputs are not finite",
                  "check the model with `nibble perplexity`; --compute f32 reaches further");
  const Columns kept = choose(task);
  Columns gone;
  for (std::size_t c = 0; c < task.weight.columns; ++c)
    if (!std::binary_search(kept.begin(), kept.end(), c)) gone.push_back(c);
  const bool repaired = task.options.text("repair") == "on";
  const Tensor change = repaired ? repair(task, kept, gone) : Tensor();
  Tensor weight(task.weight.rows, task.weight.columns);
  weight.fill(0);
  parallel_ranges(weight.rows(), 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < kept.size(); ++c)
        weight.view()(r, kept[c]) =
            task.weight(r, kept[c]) + (change.rows() != 0 ? change.view()(r, c) : 0);
  });
  Outcome outcome = finished(task, std::move(weight));
  if (repaired && change.rows() == 0)
    outcome.notes.push_back("not repaired: the Hessian of what stays has no inverse");
  if (change.rows() != 0) outcome.damping = task.options.number("damping");
  outcome.kept_columns = kept;
  return outcome;
}

constexpr std::array kOptions = {&kSectionsOption, &kUnitOption, &kKeptOption,
                                 &kRepairOption,   &kTypeOption, &kDampingOption};

}  // namespace

void set_units(const UnitChoice& choice, bool repaired, Options& options) {
  options.set(kSectionsOption, cat(choice.sections));
  options.set(kUnitOption, cat(choice.unit));
  options.set(kKeptOption, cat(choice.kept));
  options.set(kRepairOption, repaired ? "on" : "off");
}

extern const Method units{
    .name = "units",
    .summary = "whole heads or channels go, and the others make up for them",
    .needs = Needs::kHessian,
    .options = kOptions,
    .quantize = prune,
    .cost_power = 1,
};

}  // namespace nibble::pruning
