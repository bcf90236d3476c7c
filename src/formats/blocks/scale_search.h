// The scales of a few weights that lose least: candidates around the absolute maximum, then least
// squares for fixed codes.
#pragma once

#include <array>
#include <cstddef>

#include "formats/blocks/levels.h"

namespace nibble::block_formats {

// Up to 256 weights, a multiple of 8, and how much the squared error of each counts.
struct Group {
  const float* weights = nullptr;
  const float* importance = nullptr;
  int size = 0;

  Group part(int first, int count) const { return {weights + first, importance + first, count}; }
};

// Block number `index`; without importance all weights count the same.
Group group_at(const float* weights, const float* importance, std::size_t index, int size);

enum class Storage { kFloat, kHalf };
// What is read back; numbers out of float16's range become its largest.
float stored(float value, Storage storage);

// 1 / scale, or 0 for a scale too small to be told from none: such weights get the level 0.
inline float inverse(float scale) { return scale > 1e-30f || scale < -1e-30f ? 1 / scale : 0; }

// weight ≈ scale · level
template <typename Levels>
float fit_scale(Group group, const Levels& levels, Storage storage);
template <typename Levels>
float error(Group group, const Levels& levels, float scale);

// weight ≈ scale · code + minimum, code from 0 to highest
struct Line {
  float scale = 0;
  float minimum = 0;
};
enum class Minimum { kFree, kNotPositive };
Line fit_line(Group group, int highest, Minimum minimum, Storage storage);
float error(Group group, int highest, Line line);

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
