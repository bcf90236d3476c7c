// The weights of one group as few values and who has which: what a grid has to explain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quantize/recovery/number_line.h"

namespace nibble {

class GroupValues {
 public:
  // Weights are of `type`. False where they have more than `most` values, which no grid of so many
  // levels explains, or one that is no number. Zeros of both signs are one value.
  bool gather(std::span<const float> weights, DType type, std::size_t most);

  bool has_zero() const { return has_zero_; }
  std::size_t size() const { return values_.size(); }  // 0 left out
  // Each other value, by rising magnitude, and the real numbers that are rounded to it.
  std::span<const float> values() const { return values_; }
  std::span<const Interval> rounded_from() const { return intervals_; }
  // Which of the values a weight of the group has; kZero: none.
  static constexpr std::uint16_t kZero = 0xFFFF;
  std::uint16_t of_weight(std::size_t i) const { return owner_[i]; }

 private:
  std::vector<float> values_;
  std::vector<Interval> intervals_;
  std::vector<std::uint16_t> owner_, table_, order_, place_;
  bool has_zero_ = false;
};

}  // namespace nibble
