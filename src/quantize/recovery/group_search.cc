#include "quantize/recovery/group_search.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace nibble {
namespace {

// How far a number of the type may lie from what was rounded to it, as a share of it.
float rounding_share(DType type) {
  return type == DType::kBF16 ? 0x1p-8f : type == DType::kF16 ? 0x1p-11f : 0x1p-24f;
}

float largest_of(std::span<const float> weights) {
  float high = 0, low = 0;
  for (const float weight : weights) {
    high = std::max(high, weight);
    low = std::min(low, weight);
  }
  return high >= -low ? high : low;
}

// The nearest whole number of steps of each weight. False where one lies farther from it than
// `share` of itself, or where the numbers leave [lowest, highest].
bool whole_steps(std::span<const float> weights, float per_weight, float share, float lowest,
                 float highest, float* steps) {
  constexpr std::size_t kTogether = 16;
  for (std::size_t first = 0; first < weights.size(); first += kTogether) {
    const std::size_t end = std::min(first + kTogether, weights.size());
    int wrong = 0;
    for (std::size_t i = first; i < end; ++i) {
      const float exact = weights[i] * per_weight;
      const float whole = (exact + 0x1.8p23f) - 0x1.8p23f;  // as nearbyint
      steps[i] = whole;
      wrong |= static_cast<int>(!(std::fabs(exact - whole) <= share * std::fabs(exact))) |
               static_cast<int>(whole < lowest) | static_cast<int>(whole > highest);
    }
    if (wrong != 0) return false;
  }
  return true;
}

// The scales that steps of up to `most` leave, a little more than that.
Interval scales_left(std::span<const float> weights, const float* steps, float share, float most) {
  float low = 0, high = INFINITY;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const bool counts = steps[i] != 0 && std::fabs(steps[i]) <= most;
    const float size = std::fabs(weights[i] / (counts ? steps[i] : 1));
    low = std::max(low, counts ? size * (1 - share) : low);
    high = std::min(high, counts ? size * (1 + share) : high);
  }
  return {static_cast<double>(low), static_cast<double>(high)};
}

}  // namespace

GroupSearch::GroupSearch(const Levels& levels, DType weight_type, DType scale_type, bool any_sign)
    : levels_(levels),
      weight_type_(weight_type),
      scale_type_(scale_type),
      any_sign_(any_sign && scale_type != DType::kF8E8M0 && scale_type != DType::kF8E4M3) {}

// Steps of whole units follow from the largest weight's level: no others come near. What is missed
// (numbers too small for their type, weights between two levels) is left to the search.
bool GroupSearch::guess(std::span<const float> weights) {
  const float largest = largest_of(weights);
  if (!std::isfinite(largest) || largest == 0) return false;
  steps_.resize(weights.size());
  for (const std::uint16_t anchor : levels_.by_size(largest)) {
    const float level = levels_.values()[anchor];
    const bool negative = (level < 0) != (largest < 0);
    if ((!negative || any_sign_) && with_step(weights, largest * levels_.unit() / level))
      return true;
  }
  return false;
}

// `step`: the largest weight divided by its units. That weight was rounded, and so is the step.
bool GroupSearch::with_step(std::span<const float> weights, float step) {
  const float unit = levels_.unit();
  const float lowest = levels_.values().front() / unit, highest = levels_.values().back() / unit;
  const float share = rounding_share(weight_type_) + 0x1p-22f, most = 0.2f / share;
  if (!whole_steps(weights, 1 / step, 2 * share + 0x1p-20f, lowest, highest, steps_.data()))
    return false;
  // Of many units the nearest may be the wrong number. Weights of fewer say more of the step.
  if (std::max(-lowest, highest) > most) {
    const Interval sizes = scales_left(weights, steps_.data(), share, most);
    if (!(sizes.low <= sizes.high)) return false;
    if (std::isfinite(sizes.high)) step = std::copysign(static_cast<float>(sizes.middle()), step);
    if (!whole_steps(weights, 1 / step, 2 * share + 0x1p-20f, lowest, highest, steps_.data()))
      return false;
  }
  const auto [low, high] = std::minmax_element(steps_.begin(), steps_.end());
  if ((*high - *low) * unit > levels_.span()) return false;
  for (std::size_t i = 0; i < weights.size(); ++i)
    if ((own_[i] = levels_.of_units(steps_[i])) == Levels::kNone) return false;
  Interval scales = scales_left(weights, steps_.data(), share, INFINITY);
  scales = {scales.low / unit, scales.high / unit};
  if (step < 0) scales = {-scales.high, -scales.low};
  for (float& units : steps_) units *= unit;
  return any_between(scale_type_, scales, 16, [&](float scale) {
    scale_ = scale;
    return rounds_to(weight_type_, steps_.data(), scale, weights);
  });
}

bool GroupSearch::find(std::span<const float> weights) {
  own_.resize(weights.size());
  if (levels_.unit() != 0 && guess(weights)) return true;
  if (!values_.gather(weights, weight_type_, levels_.values().size()) ||
      !find_scale(values_, levels_, weight_type_, scale_type_, any_sign_, found_))
    return false;
  scale_ = found_.scale;
  for (std::size_t i = 0; i < weights.size(); ++i)
    own_[i] = values_.of_weight(i) == GroupValues::kZero
                  ? static_cast<std::uint16_t>(levels_.index_of_zero())
                  : found_.levels[values_.of_weight(i)];
  return true;
}

}  // namespace nibble
