// The values that a code times a scale can take, and the nearest of them to a number.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "formats/blocks/uneven_levels.h"

namespace nibble::block_formats {

// Ties to even, as nearbyint does, without a call: |value| is below 2^21.
inline float nearest_integer(float value) { return (value + 0x1.8p23f) - 0x1.8p23f; }

// The integers from lowest to highest; the lowest has code 0.
struct EvenLevels {
  int lowest = 0;
  int highest = 0;

  float nearest(float steps) const {
    return nearest_integer(
        std::clamp(steps, static_cast<float>(lowest), static_cast<float>(highest)));
  }
  int code(float level) const { return static_cast<int>(level) - lowest; }
};

// Neighbours meet at multiples of one half: between two of those the nearest level is the same.
inline constexpr auto kUnevenCodes = [] {
  std::array<std::uint8_t, 481> codes{};  // of −127, −126.5, … 113
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const float inside = static_cast<float>(i) / 2 - 127 + 0.25f;
    while (codes[i] < 15 && inside - kUnevenLevels[codes[i]] > kUnevenLevels[codes[i] + 1] - inside)
      ++codes[i];
  }
  return codes;
}();

inline constexpr auto kUnevenNearest = [] {
  std::array<float, kUnevenCodes.size()> levels{};
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = kUnevenLevels[kUnevenCodes[i]];
  return levels;
}();

struct UnevenLevels {
  static constexpr float kLowest = -127, kHighest = 113;
  int lowest = -127;
  int highest = 113;

  float nearest(float steps) const { return kUnevenLevels[cell_code(steps)]; }
  int code(float level) const { return static_cast<int>(cell_code(level)); }

 private:
  static std::size_t cell_code(float steps) {
    return kUnevenCodes[static_cast<std::size_t>((std::clamp(steps, -127.0f, 113.0f) + 127) * 2)];
  }
};

}  // namespace nibble::block_formats
