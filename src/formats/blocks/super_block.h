// The scales of 256 weights in groups whose own scales are small integers times one float16.
#pragma once

#include <array>

#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {

// weight ≈ scale · step of its group · level
struct SuperScale {
  float scale = 0;
  std::array<int, 16> steps{};

  float step(int group) const {
    return scale * static_cast<float>(steps[static_cast<std::size_t>(group)]);
  }
};
// `steps` are the integers that a group's step may be; block: 256 weights.
template <typename Levels>
SuperScale fit_super_scale(Group block, int group_size, const Levels& levels, EvenLevels steps);

// weight ≈ scale · step of its group · code − minimum · shift of its group
struct SuperLine {
  float scale = 0;
  float minimum = 0;
  std::array<int, 16> steps{};
  std::array<int, 16> shifts{};

  Line line(int group) const {
    const auto g = static_cast<std::size_t>(group);
    return {scale * static_cast<float>(steps[g]), -minimum * static_cast<float>(shifts[g])};
  }
};
// Codes up to highest, steps and shifts up to highest_step.
SuperLine fit_super_line(Group block, int group_size, int highest, int highest_step);

}  // namespace nibble::block_formats
