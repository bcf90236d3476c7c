// The scales of a few weights that lose least: candidates around the absolute maximum, then least
// squares for fixed codes.
#pragma once

#include <array>
#include <cstddef>

#include "formats/blocks/candidates.h"
#include "formats/blocks/levels.h"

namespace nibble::block_formats {

// Block number `index`; without importance all weights count the same.
Group group_at(const float* weights, const float* importance, std::size_t index, int size);

enum class Storage { kFloat, kHalf };
// What is read back; numbers out of float16's range become its largest.
float stored(float value, Storage storage);

// The weight of largest magnitude.
float peak_of(Group group);

// weight ≈ scale · level
template <typename Levels>
ScaleFit fit_scale(Group group, const Levels& levels, Storage storage);

// weight ≈ scale · code + minimum
enum class Minimum { kFree, kNotPositive };
Line fit_line(Group group, int highest, Minimum minimum, Storage storage);

template <typename Levels>
void choose_codes(Group group, const Levels& levels, float scale, int* codes) {
  const float steps = inverse(scale);
  for (int i = 0; i < group.size; ++i)
    codes[i] = levels.code(levels.nearest(group.weights[i] * steps));
}

inline void choose_codes(Group group, int highest, Line line, int* codes) {
  const EvenLevels levels{0, highest};
  const float steps = inverse(line.scale);
  for (int i = 0; i < group.size; ++i)
    codes[i] = levels.code(levels.nearest((group.weights[i] - line.minimum) * steps));
}

}  // namespace nibble::block_formats
