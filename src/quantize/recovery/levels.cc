#include "quantize/recovery/levels.h"

#include <algorithm>
#include <cmath>

namespace nibble {

Levels::Levels(std::vector<std::pair<float, Code>> entries, float span) : span_(span) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [value, code] : entries) {
    if (value == 0) {
      if (!has_zero_ || !std::signbit(value)) plus_zero_ = code;
      if (!has_zero_ || std::signbit(value)) minus_zero_ = code;
      has_zero_ = true;
    }
    if (!values_.empty() && values_.back() == value) continue;
    values_.push_back(value);
    codes_.push_back(code);
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    even_ &= values_[i] == values_[0] + static_cast<float>(i);
    if (values_[i] == 0) continue;
    for (auto& order : by_size_) order.push_back(static_cast<std::uint16_t>(i));
  }
  for (const bool below : {false, true})
    std::sort(by_size_[below].begin(), by_size_[below].end(),
              [&](std::uint16_t a, std::uint16_t b) {
                const float size_a = std::fabs(values_[a]), size_b = std::fabs(values_[b]);
                return size_a != size_b ? size_a > size_b : (values_[a] > values_[b]) != below;
              });
  find_unit();
}

// Multiples of a unit are looked up, others searched for.
void Levels::find_unit() {
  constexpr float kMostUnits = 600;
  for (const float unit : {1.0f, 0.5f}) {
    const float lowest = values_.front() / unit, highest = values_.back() / unit;
    const bool whole = std::all_of(values_.begin(), values_.end(), [&](float value) {
      return value / unit == std::nearbyint(value / unit);
    });
    if (!whole || highest - lowest > kMostUnits) continue;
    unit_ = unit;
    by_units_.assign(static_cast<std::size_t>(highest - lowest) + 1, kNone);
    for (std::size_t i = 0; i < values_.size(); ++i)
      by_units_[static_cast<std::size_t>(values_[i] / unit - lowest)] =
          static_cast<std::uint16_t>(i);
    return;
  }
}

Levels Levels::fixed(const Grid& grid, int zero) {
  std::vector<std::pair<float, Code>> entries;
  for (std::size_t code = grid.lowest_code(); code < grid.used_levels(); ++code)
    entries.emplace_back(grid.value(static_cast<Code>(code), {1, static_cast<float>(zero)}),
                         static_cast<Code>(code));
  return {std::move(entries), INFINITY};
}

Levels Levels::sliding(const Grid& grid, int lowest_zero) {
  const int highest = static_cast<int>(grid.levels()) - 1;
  std::vector<std::pair<float, Code>> entries;
  for (int level = -highest; level <= highest - lowest_zero; ++level)
    entries.emplace_back(static_cast<float>(level), static_cast<Code>(level + highest));
  return {std::move(entries), static_cast<float>(highest)};
}

std::pair<std::size_t, std::size_t> Levels::between(double low, double high) const {
  if (even_) {
    const double lowest = static_cast<double>(values_[0]);
    const double count = static_cast<double>(values_.size());
    const double first = std::clamp(std::ceil(low) - lowest, 0.0, count);
    const double end = std::clamp(std::floor(high) - lowest + 1, first, count);
    return {static_cast<std::size_t>(first), static_cast<std::size_t>(end)};
  }
  const auto first = std::lower_bound(values_.begin(), values_.end(), low,
                                      [](float a, double b) { return static_cast<double>(a) < b; });
  const auto end = std::upper_bound(first, values_.end(), high,
                                    [](double a, float b) { return a < static_cast<double>(b); });
  return {static_cast<std::size_t>(first - values_.begin()),
          static_cast<std::size_t>(end - values_.begin())};
}

}  // namespace nibble
