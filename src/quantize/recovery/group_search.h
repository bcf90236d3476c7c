// The scale and the levels of one group's weights: a quick guess first, then the whole search.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nibble/dtype.h"
#include "quantize/recovery/exact_scale.h"

namespace nibble {

// Keeps its room from group to group.
class GroupSearch {
 public:
  // What find_scale says of them. `levels` lives as long as this.
  GroupSearch(const Levels& levels, DType weight_type, DType scale_type, bool any_sign);

  // Is there a scale? Weights that are all 0 have none to be found.
  bool find(std::span<const float> weights);

  float scale() const { return scale_; }
  // The level of each weight, an index of Levels; of a 0 that of 0.
  std::span<const std::uint16_t> levels() const { return own_; }

 private:
  bool guess(std::span<const float> weights);
  bool with_step(std::span<const float> weights, float step);

  const Levels& levels_;
  DType weight_type_, scale_type_;
  bool any_sign_;
  float scale_ = 0;
  std::vector<std::uint16_t> own_;
  std::vector<float> steps_;
  GroupValues values_;
  ExactScale found_;
};

}  // namespace nibble
