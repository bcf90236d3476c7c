// The scales of weights in groups that lose least: candidates around the absolute maximum, then
// least squares for fixed codes.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "formats/blocks/group_sums.h"

namespace nibble::block_formats {

// What is read back as float16; numbers out of its range become its largest.
float stored(float value);

// weight ≈ scale · level
template <typename Levels>
class ScaleSearch {
 public:
  explicit ScaleSearch(const Levels& levels);

  const Levels& levels() const { return levels_; }
  ScaleFits fit(const Groups& groups) const;
  OfGroups fit_stored(const Groups& groups) const;  // in float16

 private:
  Levels levels_;
  std::vector<float> multiples_;
};

// weight ≈ scale · code + minimum
enum class Minimum { kFree, kNotPositive };
class LineSearch {
 public:
  LineSearch(int highest, Minimum minimum);

  int highest() const { return highest_; }
  Lines fit(const Groups& groups) const;
  Lines fit_stored(const Groups& groups) const;

 private:
  Lines whole(const Groups& groups) const;

  int highest_;
  Minimum minimum_;
  std::vector<Interval> intervals_;
};

// Calls put(scale, codes) for each of `count` blocks of 32 weights with one scale.
template <typename Levels, typename Put>
void for_each_scale(const float* weights, const float* importance, std::size_t count,
                    const Levels& levels, Put put) {
  constexpr std::size_t kSize = 32;
  const ScaleSearch search(levels);
  std::array<int, kSize> codes;
  for_each_stretch(weights, importance, count, kSize, kSize,
                   [&](const Groups& groups, std::size_t first, std::size_t n) {
                     const OfGroups scales = search.fit_stored(groups);
                     for (std::size_t g = 0; g < n; ++g) {
                       choose_codes(weights + (first + g) * kSize, kSize, levels, scales[g], 0,
                                    codes.data());
                       put(scales[g], codes.data());
                     }
                   });
}

// Calls put(scale, minimum, codes) for each of `count` blocks of 32 weights on one line.
template <typename Put>
void for_each_line(const float* weights, const float* importance, std::size_t count, int highest,
                   Put put) {
  constexpr std::size_t kSize = 32;
  const LineSearch search(highest, Minimum::kFree);
  std::array<int, kSize> codes;
  for_each_stretch(weights, importance, count, kSize, kSize,
                   [&](const Groups& groups, std::size_t first, std::size_t n) {
                     const Lines lines = search.fit_stored(groups);
                     for (std::size_t g = 0; g < n; ++g) {
                       choose_codes(weights + (first + g) * kSize, kSize, EvenLevels{0, highest},
                                    lines.scale[g], lines.minimum[g], codes.data());
                       put(lines.scale[g], lines.minimum[g], codes.data());
                     }
                   });
}

}  // namespace nibble::block_formats
