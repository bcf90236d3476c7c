// The values that a code times a scale can take.
#pragma once

#include "formats/blocks/uneven_levels.h"

namespace nibble::block_formats {

// The integers from lowest to highest, ties to even; the lowest has code 0.
struct EvenLevels {
  int lowest = 0;
  int highest = 0;

  int count() const { return highest - lowest + 1; }
};

// The 16 of the IQ4 formats; a number between two goes to the higher one.
struct UnevenLevels {
  static constexpr float kLowest = kUnevenLevels.front(), kHighest = kUnevenLevels.back();
  int lowest = static_cast<int>(kLowest);
  int highest = static_cast<int>(kHighest);

  static int count() { return static_cast<int>(kUnevenLevels.size()); }
};

// A smaller scale cannot be told from none: all weights get the level 0.
inline constexpr float kLeastScale = 1e-30f;

}  // namespace nibble::block_formats
