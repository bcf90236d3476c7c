// SmoothQuant (Xiao et al. 2022, arXiv 2211.10438, equation 4): where inputs are rounded to 8 bits
// too, columns whose inputs are large leave few codes to the others. Part of their size moves into
// the weights: s_c = max|x_c|^α / max|w_c|^(1−α), inputs divided and weights multiplied by it.
// Beyond the paper: the inputs of o and down move into v's and up's rows as well, which have scales
// of their own.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "quantize/recipe.h"
#include "quantize/transform.h"

namespace nibble::transforms {
namespace {

constexpr OptionSpec kAlpha{.name = "smooth-alpha",
                            .help = "share of the inputs' size that moves into the weights",
                            .initial = "0.5",
                            .lowest = 0,
                            .highest = 1};
constexpr std::array kOptions = {&kAlpha};
constexpr float kLargestFactor = 1e4f;

// max |w| of the columns behind each free factor, over the layers of a stage.
std::vector<float> weight_peaks(FloatBlock& block, Stage stage, std::size_t factors,
                                std::span<const std::uint32_t> of) {
  std::vector<float> peaks(factors);
  for (const Role role : roles_of(stage)) {
    const ConstMatrix weight = block.weight(role);
    for (std::size_t r = 0; r < weight.rows; ++r)
      for (std::size_t c = 0; c < weight.columns; ++c) {
        float& peak = peaks[of.empty() ? c : of[c]];
        peak = std::max(peak, std::fabs(weight(r, c)));
      }
  }
  return peaks;
}

std::vector<std::string> apply(const TransformTask& task) {
  std::vector<std::string> notes;
  const double alpha = task.options.number("smooth-alpha");
  for (const Stage stage : kStages) {
    const auto peaks = task.peaks[static_cast<std::size_t>(stage)];
    const auto roles = roles_of(stage);
    if (peaks.empty() || std::none_of(roles.begin(), roles.end(), [&](Role role) {
          return task.modules[static_cast<std::size_t>(role)] != nullptr;
        }))
      continue;
    const auto of = task.block.scale_of(stage);
    const std::size_t count = task.block.scalable(stage);
    std::vector<float> inputs(count), factors(count, 1.0f);
    for (std::size_t c = 0; c < peaks.size(); ++c) {
      float& peak = inputs[of.empty() ? c : of[c]];
      peak = std::max(peak, peaks[c]);
    }
    const auto weights = weight_peaks(task.block, stage, count, of);
    for (std::size_t f = 0; f < count; ++f)
      if (inputs[f] > 0 && weights[f] > 0)
        factors[f] = std::clamp(
            static_cast<float>(std::pow(inputs[f], alpha) / std::pow(weights[f], 1 - alpha)),
            1 / kLargestFactor, kLargestFactor);
    task.block.fold(stage, factors);
    const auto [low, high] = std::minmax_element(factors.begin(), factors.end());
    notes.push_back(cat(module_name(roles.front()), ": inputs divided by ", *low, " to ", *high));
  }
  return notes;
}

}  // namespace

extern const Transform smoothquant{
    .name = "smoothquant",
    .summary = "moves the size of large inputs into the weights, for 8-bit inputs",
    .needs = Needs::kPeaks,
    .options = kOptions,
    .apply = apply,
};

}  // namespace nibble::transforms
