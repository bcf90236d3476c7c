// The scales of 256 weights in groups whose own scales are small integers times one float16.
#pragma once

#include <array>

#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {

inline constexpr std::size_t kSuperBlock = 256, kMostGroups = 16;

// The one or two super-blocks that sixteen groups are.
inline constexpr std::size_t kMostSupers = 2;

// weight ≈ scale · step of its group · level
struct SuperScale {
  float scale = 0;
  std::array<int, kMostGroups> steps{};

  float step(std::size_t group) const { return scale * static_cast<float>(steps[group]); }
  float lowest(std::size_t) const { return 0; }
};
// Scales that lose little; `allowed` are the integers that a group's step may be.
template <typename Levels>
std::array<SuperScale, kMostSupers> fit_super_scales(const Groups& groups,
                                                     const ScaleSearch<Levels>& search,
                                                     EvenLevels allowed);

// weight ≈ scale · step of its group · code − minimum · shift of its group
struct SuperLine {
  float scale = 0;
  float minimum = 0;
  std::array<int, kMostGroups> steps{};
  std::array<int, kMostGroups> shifts{};

  float step(std::size_t group) const { return scale * static_cast<float>(steps[group]); }
  float lowest(std::size_t group) const { return -minimum * static_cast<float>(shifts[group]); }
};
// `allowed` are the integers that steps and shifts may be.
std::array<SuperLine, kMostSupers> fit_super_lines(const Groups& groups, const LineSearch& search,
                                                   EvenLevels allowed);

// Calls put(super, codes) for each of `count` blocks of 256 weights, groups of `size`; fit gives
// the scales of one or two.
template <typename Levels, typename Fit, typename Put>
void for_each_super(const float* weights, const float* importance, std::size_t count,
                    std::size_t size, const Levels& levels, Fit fit, Put put) {
  std::array<int, kSuperBlock> codes;
  for_each_stretch(weights, importance, count, kSuperBlock, size,
                   [&](const Groups& groups, std::size_t first, std::size_t n) {
                     const auto supers = fit(groups);
                     for (std::size_t b = 0; b < n; ++b) {
                       const float* own = weights + (first + b) * kSuperBlock;
                       for (std::size_t g = 0; g < kSuperBlock / size; ++g)
                         choose_codes(own + g * size, size, levels, supers[b].step(g),
                                      supers[b].lowest(g), codes.data() + g * size);
                       put(supers[b], codes.data());
                     }
                   });
}

template <typename Levels, typename Put>
void for_each_super_scale(const float* weights, const float* importance, std::size_t count,
                          std::size_t size, const Levels& levels, EvenLevels steps, Put put) {
  const ScaleSearch search(levels);
  const auto fit = [&](const Groups& groups) { return fit_super_scales(groups, search, steps); };
  for_each_super(weights, importance, count, size, levels, fit, put);
}

// Codes up to highest, steps and shifts up to highest_step.
template <typename Put>
void for_each_super_line(const float* weights, const float* importance, std::size_t count,
                         std::size_t size, int highest, int highest_step, Put put) {
  const LineSearch search(highest, Minimum::kNotPositive);
  const auto fit = [&](const Groups& groups) {
    return fit_super_lines(groups, search, {0, highest_step});
  };
  for_each_super(weights, importance, count, size, EvenLevels{0, highest}, fit, put);
}

}  // namespace nibble::block_formats
