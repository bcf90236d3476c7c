// A worked example of docs/extending.md: in the tree this would be src/quantize/methods/clipped.cc.
#include <algorithm>
#include <array>

#include "quantize/layer_error.h"
#include "quantize/rounding.h"

namespace nibble::methods {
namespace {

constexpr OptionSpec kShare{.name = "clip-share",
                            .help = "share of the largest scale that is taken",
                            .initial = "0.9",
                            .lowest = 0.1,
                            .highest = 1};

// Rounds to nearest with every scale made smaller by the same share.
Outcome quantize(const Task& task) {
  const auto rounder =
      make_rounder(*task.grid, task.storable, Symmetry::kSigned, ScaleSearch::kAbsMax);
  Outcome outcome;
  Codes& codes = outcome.codes;
  codes = fit_groups(task.weight, *rounder, task.group_size, {});
  const auto share = static_cast<float>(task.options.number("clip-share"));
  for (float& scale : codes.scales) scale = rounder->stored_scale(scale * share);
  if (task.storable.together != nullptr) task.storable.together(codes);
  round_all(task.weight, *rounder, codes);
  measure(task, outcome);
  return outcome;
}

constexpr std::array kOptions = {&kShare};

}  // namespace

extern const Method clipped{
    .name = "clipped",
    .summary = "rounds to nearest with smaller scales; no calibration",
    .needs = Needs::kNothing,  // kHessian: calibration inputs are gathered
    .options = kOptions,
    .quantize = quantize,
};

}  // namespace nibble::methods
