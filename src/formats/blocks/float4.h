// The 16 values of a 4-bit float (one sign, two exponent bits, one mantissa bit), doubled to be
// integers, as MXFP4 and NVFP4 have them.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace nibble::block_formats {

inline constexpr std::array<float, 16> kFloat4 = {0, 1,  2,  3,  4,  6,  8,  12,
                                                  0, -1, -2, -3, -4, -6, -8, -12};

// The code nearest to weight / scale. Of two that are as near the first: the smaller magnitude.
inline int float4_code(float weight, float scale) {
  int best = 0;
  float least = std::fabs(weight);
  for (int code = 1; code < 16; ++code) {
    const float away = std::fabs(scale * kFloat4[static_cast<std::size_t>(code)] - weight);
    if (away < least) {
      least = away;
      best = code;
    }
  }
  return best;
}

// The stored code of each of the rising values (formats/grids/float4.h).
inline int float4_of_rising(int code) { return code < 8 ? 15 - code : code - 8; }

}  // namespace nibble::block_formats
