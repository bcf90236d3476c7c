// The scale and the levels that give the weights of a group back exactly, if there are any.
#pragma once

#include <cstdint>
#include <vector>

#include "nibble/dtype.h"
#include "quantize/recovery/group_values.h"
#include "quantize/recovery/levels.h"

namespace nibble {

struct ExactScale {
  float scale = 0;
  std::vector<std::uint16_t> levels;  // of each of the group's values: an index of Levels
};

// Scales are numbers of `scale_type`, negative ones too where it has a sign and `any_sign`; a
// product is rounded to `weight_type`, the weights' own. The search is complete: a scale is the
// quotient of the largest weight and one of the levels, give or take the rounding of that weight,
// and each further weight leaves less of those few. Of several scales for the same levels the one
// in the middle is taken. A group of zeros has none to be found.
bool find_scale(const GroupValues& group, const Levels& levels, DType weight_type, DType scale_type,
                bool any_sign, ExactScale& found);

}  // namespace nibble
