// Rewrites the float weights of a block so that rounding hurts less, leaving its function as it
// is. One file in transforms/ and one line in its list for each.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/float_block.h"
#include "quantize/method.h"

namespace nibble {

struct PlannedModule;

// What a transform is given: a block before any of its layers is quantized.
struct TransformTask {
  FloatBlock& block;
  // Of each stage's inputs, [columns, columns]; no rows where nothing was calibrated, or the
  // transform needs peaks alone.
  std::array<ConstMatrix, kStages.size()> hessians;
  // max |x| of each column of them; empty where nothing was calibrated.
  std::array<std::span<const float>, kStages.size()> peaks;
  // How each layer will be quantized; null: it stays as it is.
  std::array<const PlannedModule*, kRoles> modules;
  const Options& options;  // every one that the transform declares
};

struct Transform {
  std::string_view name;
  std::string_view summary;
  Needs needs = Needs::kHessian;
  std::span<const OptionSpec* const> options = {};
  // Changes the block through FloatBlock alone, which keeps its function. Returns what should be
  // said about it. Same result for any number of threads.
  std::vector<std::string> (*apply)(const TransformTask& task) = nullptr;
};

namespace transforms {
std::span<const Transform* const> all();
const Transform& named(std::string_view name);  // throws kInvalidArgument with the known names
}  // namespace transforms

}  // namespace nibble
