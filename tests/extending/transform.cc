// A worked example of docs/extending.md: in the tree this would be
// src/quantize/transforms/level.cc.
#include "quantize/transform.h"

#include <cmath>

namespace nibble::transforms {
namespace {

// Makes the gains of the norm in front of the MLP equal in size: what they were goes into the
// weights.
std::vector<std::string> apply(const TransformTask& task) {
  std::vector<float> factors;
  for (const float gain : task.block.block().mlp_norm)
    factors.push_back(gain != 0 ? std::fabs(gain) : 1);
  task.block.fold(Stage::kMlpIn, factors);
  return {};
}

}  // namespace

extern const Transform level{
    .name = "level",
    .summary = "moves the size of a norm's gains into the weights behind it",
    .needs = Needs::kNothing,
    .apply = apply,
};

}  // namespace nibble::transforms
