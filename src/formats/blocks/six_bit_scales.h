// The 6-bit scales and minimums of the 8 groups of a Q4_K or Q5_K block, packed into 12 bytes.
#pragma once

#include <cstdint>

#include "formats/blocks/fields.h"

namespace nibble::block_formats {

struct GroupScale {
  int scale = 0;
  int minimum = 0;
};

// Groups 0 to 3 have a byte each for scale and minimum; the two free bits on top of these eight
// bytes are the upper bits of groups 4 to 7, whose lower four share the last four bytes.
inline GroupScale group_scale(const std::uint8_t* packed, int group) {
  if (group < 4) return {packed[group] & 63, packed[group + 4] & 63};
  const std::uint8_t low = packed[group + 4];
  return {(low & 15) | (packed[group - 4] >> 6) << 4, low >> 4 | (packed[group] >> 6) << 4};
}

// What group_scale reads; scales and minimums: 8 each.
inline void put_group_scales(const int* scales, const int* minimums, std::uint8_t* packed) {
  for (int i = 0; i < 4; ++i) {
    packed[i] = static_cast<std::uint8_t>(scales[i] | scales[i + 4] >> 4 << 6);
    packed[i + 4] = static_cast<std::uint8_t>(minimums[i] | minimums[i + 4] >> 4 << 6);
    packed[i + 8] = static_cast<std::uint8_t>((scales[i + 4] & 15) | (minimums[i + 4] & 15) << 4);
  }
}

// Scales and zeros of the 8 groups of a block that begins with scale, minimum and these.
inline void read_group_lines(const std::uint8_t* block, float* scales, float* zeros) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  for (int g = 0; g < 8; ++g) {
    const GroupScale own = group_scale(block + 4, g);
    set_line(scale * static_cast<float>(own.scale), -minimum * static_cast<float>(own.minimum),
             scales[g], zeros[g]);
  }
}

}  // namespace nibble::block_formats
