// Round to nearest: each weight to the closest value of its group's grid. The measure of all
// others.
#include "quantize/layer/layer_error.h"
#include "quantize/layer/rounding.h"

namespace nibble::methods {
namespace {

Outcome quantize(const Task& task) {
  const auto rounder = make_rounder(*task.grid, task.storable, task.options);
  Outcome outcome;
  outcome.codes = fit_groups(task.weight, *rounder, task.group_size, importance_of(task));
  round_all(task.weight, *rounder, outcome.codes);
  measure(task, outcome);
  return outcome;
}

constexpr std::array kOptions = {&kScalesOption, &kSymmetryOption};

}  // namespace

extern const Method rtn{
    .name = "rtn",
    .summary = "round to nearest; no calibration",
    .options = kOptions,
    .quantize = quantize,
    .weighs = true,
};

}  // namespace nibble::methods
