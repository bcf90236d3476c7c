// Round to nearest: each weight to the closest value of its group's grid. The measure of all
// others.
#include "quantize/rounding.h"

namespace nibble::methods {
namespace {

Outcome quantize(const Task& task) {
  Outcome outcome;
  outcome.codes = fit_groups(task.weight, *task.grid, task.group_size, importance_of(task.hessian),
                             task.options.scales);
  round_all(task.weight, *task.grid, outcome.codes);
  measure(task, outcome);
  return outcome;
}

}  // namespace

extern const Method rtn{
    .name = "rtn",
    .summary = "round to nearest; no calibration",
    .quantize = quantize,
};

}  // namespace nibble::methods
