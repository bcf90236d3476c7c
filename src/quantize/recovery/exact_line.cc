#include "quantize/recovery/exact_line.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nibble {
namespace {

constexpr int kSteps = 64, kOffsets = 8;  // tried on each side of the middle
constexpr double kSlack = 0x1p-22;

class Search {
 public:
  Search(const GroupValues& group, const LineRules& rules, ExactLine& found)
      : rules_(rules), found_(found) {
    values_.assign(group.values().begin(), group.values().end());
    ranges_.assign(group.rounded_from().begin(), group.rounded_from().end());
    if (group.has_zero()) {
      values_.push_back(0);
      ranges_.push_back({0, 0});
    }
    rising_.resize(values_.size());
    std::iota(rising_.begin(), rising_.end(), 0);
    std::sort(rising_.begin(), rising_.end(),
              [&](std::size_t a, std::size_t b) { return values_[a] < values_[b]; });
    steps_.resize(values_.size());
    found_.codes.resize(values_.size());
  }

  bool run() {
    if (values_.empty() || values_.size() > static_cast<std::size_t>(rules_.highest) + 1)
      return false;
    if (values_.size() == 1) return constant();
    for (int distance = rules_.highest; distance + 1 >= static_cast<int>(values_.size());
         --distance)
      if (apart(distance)) return true;
    return false;
  }

 private:
  bool matches(std::size_t i, float step, float offset, int code) const {
    const auto count = static_cast<float>(code);
    const float weight =
        rules_.form == LineForm::kMinimum ? step * count + offset : step * (count - offset);
    return rounded_to(rules_.weight_type, weight) == values_[i];
  }

  // The lowest value has code `lowest`; the others' codes rise with a positive step, or fall.
  bool accept(float step, float offset, int lowest) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      found_.codes[i] = step < 0 ? lowest - steps_[i] : lowest + steps_[i];
      if (!matches(i, step, offset, found_.codes[i])) return false;
    }
    found_.step = step;
    found_.offset = offset;
    return true;
  }

  // One value: an offset near it and a step for the rest, if there is any.
  bool constant() {
    steps_[0] = 0;
    const float value = values_[0];
    if (rules_.form == LineForm::kZero) return false;  // a zero of its own is not needed for it
    const float offset = number_at(rules_.offset_type, place_of(rules_.offset_type, value));
    if (accept(0, offset, 0)) return true;
    const double rest = static_cast<double>(value) - static_cast<double>(offset);
    for (int code = 1; code <= rules_.highest; ++code) {
      const double step = rest / code, slack = kSlack * std::fabs(static_cast<double>(value));
      if (any_between(rules_.step_type, {step - slack / code, step + slack / code}, kSteps,
                      [&](float candidate) { return accept(candidate, offset, code); }))
        return true;
    }
    return false;
  }

  // The highest value is `distance` steps above the lowest.
  bool apart(int distance) {
    const double low = static_cast<double>(values_[rising_.front()]);
    const double step = (static_cast<double>(values_[rising_.back()]) - low) / distance;
    const Interval &lowest = ranges_[rising_.front()], &highest = ranges_[rising_.back()];
    const double ends = std::max(lowest.high - lowest.low, highest.high - highest.low);
    for (const std::size_t i : rising_) {
      const double away = (static_cast<double>(values_[i]) - low) / step;
      steps_[i] = static_cast<int>(std::nearbyint(away));
      if (std::fabs(away - steps_[i]) * step > ends + ranges_[i].high - ranges_[i].low)
        return false;
    }
    for (std::size_t k = 1; k < rising_.size(); ++k)
      if (steps_[rising_[k]] == steps_[rising_[k - 1]]) return false;
    const Interval allowed = steps_allowed();
    return any_between(rules_.step_type, allowed, kSteps,
                       [&](float candidate) { return with_step(candidate, distance); });
  }

  // What each pair of values says of the step, and all of them together. An interval of the value
  // at code 0 exists for exactly these.
  Interval steps_allowed() const {
    Interval allowed{0, INFINITY};
    for (std::size_t a = 1; a < rising_.size(); ++a)
      for (std::size_t b = 0; b < a; ++b) {
        const std::size_t up = rising_[a], down = rising_[b];
        const double apart = steps_[up] - steps_[down];
        allowed.low = std::max(allowed.low, (ranges_[up].low - ranges_[down].high) / apart);
        allowed.high = std::min(allowed.high, (ranges_[up].high - ranges_[down].low) / apart);
        if (!(allowed.low <= allowed.high)) return allowed;
      }
    return allowed;
  }

  bool with_step(float candidate, int distance) {
    const auto step = static_cast<double>(candidate);
    // A sum of large parts is rounded by their size, not by its own.
    const double slack = kSlack * step * rules_.highest;
    Interval lowest{-INFINITY, INFINITY};
    for (std::size_t i = 0; i < values_.size(); ++i) {
      lowest.low = std::max(lowest.low, ranges_[i].low - step * steps_[i] - slack);
      lowest.high = std::min(lowest.high, ranges_[i].high - step * steps_[i] + slack);
    }
    for (const bool falls : {false, true})
      for (int code = falls ? distance : 0; code <= rules_.highest - (falls ? 0 : distance); ++code)
        if (with_code(falls ? -candidate : candidate, code, lowest)) return true;
    return false;
  }

  // The lowest value, which lies in `lowest`, has this code.
  bool with_code(float step, int code, Interval lowest) {
    const double at_zero = static_cast<double>(step) * code;  // how far code 0 lies from it
    Interval offsets{lowest.low - at_zero, lowest.high - at_zero};
    if (rules_.form == LineForm::kZero) {
      const double a = -offsets.low / static_cast<double>(step);
      const double b = -offsets.high / static_cast<double>(step);
      offsets = {std::min(a, b), std::max(a, b)};
    }
    return (offsets.holds(0) && accept(step, 0, code)) ||
           any_between(rules_.offset_type, offsets, kOffsets,
                       [&](float offset) { return accept(step, offset, code); });
  }

  const LineRules& rules_;
  ExactLine& found_;
  std::vector<float> values_;
  std::vector<Interval> ranges_;
  std::vector<std::size_t> rising_;
  std::vector<int> steps_;
};

}  // namespace

bool find_line(const GroupValues& group, const LineRules& rules, ExactLine& found) {
  return Search(group, rules, found).run();
}

}  // namespace nibble
