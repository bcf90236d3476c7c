// The step, the offset and the codes that give the weights of a group back exactly, where weights
// are step · code + something that each group has of its own and that is no multiple of the step.
#pragma once

#include <cstdint>
#include <vector>

#include "nibble/dtype.h"
#include "quantize/recovery/group_values.h"

namespace nibble {

enum class LineForm {
  kMinimum,  // weight = step · code + offset
  kZero,     // weight = step · (code − offset)
};

struct LineRules {
  LineForm form = LineForm::kMinimum;
  int highest = 15;  // codes are 0 … highest
  DType weight_type = DType::kBF16, step_type = DType::kF16, offset_type = DType::kF16;
};

struct ExactLine {
  float step = 0, offset = 0;
  std::vector<int> codes;  // of each of the group's values, and of 0 behind them where it has any
};

// Which weights are how many steps apart follows from the distance of the
// lowest and the highest in steps, tried from `highest` down; the steps that all pairs of weights
// allow are then known without a search. With 8-bit codes of bfloat16 weights far from zero a
// weight may fit two codes, of which only the nearer one is looked at: such a line may be missed.
bool find_line(const GroupValues& group, const LineRules& rules, ExactLine& found);

}  // namespace nibble
