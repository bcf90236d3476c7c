// What the formats of three values share: a scale that is the largest magnitude, as their makers
// have it, and weights rounded to −1, 0 and 1 times it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {

// codes [size] in 0 … 2, one more than the multiple. Halves go away from zero.
inline float ternary_codes(const float* weights, int size, int* codes) {
  float largest = 0;
  for (int i = 0; i < size; ++i) largest = std::max(largest, std::fabs(weights[i]));
  const float steps = largest > 0 ? 1 / largest : 0;
  for (int i = 0; i < size; ++i)
    codes[i] = std::isfinite(steps) ? static_cast<int>(std::round(weights[i] * steps)) + 1 : 1;
  return stored(largest);
}

// Codes of the grid, 1 … 3, as those that files have, 0 … 2.
inline void stored_ternary(const int* codes, int size, int* stored) {
  for (int i = 0; i < size; ++i) stored[i] = codes[i] - 1;
}

}  // namespace nibble::block_formats
