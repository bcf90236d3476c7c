#include "quantize/recovery/exact_scale.h"

#include <algorithm>
#include <cmath>

namespace nibble {
namespace {

// Numbers of the scale's type on each side of the middle. Between the bounds that a bfloat16 weight
// leaves there are at most nine float16 numbers.
constexpr int kScales = 32;
// Looks at weights for one level of the largest. No group needs a hundredth of it: two levels fit a
// weight only where the scale is known to less than their distance.
constexpr int kMostLooks = 20'000;

// What a level leaves of the scales: those whose product with it is rounded to the weight.
Interval scales_for(const Interval& weight, double level) {
  const double a = weight.low / level, b = weight.high / level;
  return {std::min(a, b), std::max(a, b)};
}

Interval both(const Interval& a, const Interval& b) {
  return {std::max(a.low, b.low), std::min(a.high, b.high)};
}

class Search {
 public:
  Search(const GroupValues& group, const Levels& levels, DType weight_type, DType scale_type,
         ExactScale& found)
      : group_(group),
        levels_(levels),
        weight_type_(weight_type),
        scale_type_(scale_type),
        found_(found) {
    found_.levels.resize(group.size());
  }

  bool from(std::uint16_t anchor, Interval scales) {
    if (!any_between(scale_type_, scales, 2, [](float) { return true; })) return false;
    looks_ = 0;
    const float level = levels_.values()[anchor];
    found_.levels.back() = anchor;
    Range used{level, level};
    if (group_.has_zero()) used.add(0);
    return explain(0, scales, used);
  }

 private:
  struct Range {
    float low, high;
    void add(float level) {
      low = std::min(low, level);
      high = std::max(high, level);
    }
  };

  // Levels for the values from `index` on; the last of them is the largest, whose level is chosen.
  bool explain(std::size_t index, Interval scales, Range used) {
    if (index + 1 == group_.size()) return choose(scales);
    if (++looks_ > kMostLooks) return false;
    const Interval& weight = group_.rounded_from()[index];
    const double a = weight.low / scales.low, b = weight.low / scales.high;
    const double c = weight.high / scales.low, d = weight.high / scales.high;
    const auto [first, end] = levels_.between(std::min({a, b, c, d}), std::max({a, b, c, d}));
    for (std::size_t i = first; i < end; ++i) {
      const float level = levels_.values()[i];
      if (level == 0) continue;
      Range wider = used;
      wider.add(level);
      if (wider.high - wider.low > levels_.span()) continue;
      const Interval left = both(scales, scales_for(weight, static_cast<double>(level)));
      if (!(left.low <= left.high)) continue;
      found_.levels[index] = static_cast<std::uint16_t>(i);
      if (explain(index + 1, left, wider)) return true;
    }
    return false;
  }

  bool choose(Interval scales) {
    return any_between(scale_type_, scales, kScales, [&](float scale) {
      for (std::size_t i = 0; i < group_.size(); ++i)
        if (rounded_to(weight_type_, scale * levels_.values()[found_.levels[i]]) !=
            group_.values()[i])
          return false;
      found_.scale = scale;
      return true;
    });
  }

  const GroupValues& group_;
  const Levels& levels_;
  DType weight_type_, scale_type_;
  ExactScale& found_;
  int looks_ = 0;
};

}  // namespace

bool find_scale(const GroupValues& group, const Levels& levels, DType weight_type, DType scale_type,
                bool any_sign, ExactScale& found) {
  if (group.has_zero() && !levels.has_zero()) return false;
  const std::size_t others = levels.values().size() - (levels.has_zero() ? 1 : 0);
  if (group.size() == 0 || group.size() > others) return false;
  const bool has_sign = scale_type != DType::kF8E8M0 && scale_type != DType::kF8E4M3;
  Search search(group, levels, weight_type, scale_type, found);
  const Interval& largest = group.rounded_from().back();
  for (const std::uint16_t anchor : levels.by_size(group.values().back())) {
    const Interval scales = scales_for(largest, static_cast<double>(levels.values()[anchor]));
    if ((scales.low >= 0 || (any_sign && has_sign)) && search.from(anchor, scales)) return true;
  }
  return false;
}

}  // namespace nibble
