// Numbers inside a block, at any alignment, least significant byte first.
#pragma once

#include <cstdint>

#include "tensor/half.h"

namespace nibble::block_formats {

inline std::uint16_t word_at(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}
inline std::uint32_t double_word_at(const std::uint8_t* p) {
  return word_at(p) | static_cast<std::uint32_t>(word_at(p + 2)) << 16;
}
inline float half_at(const std::uint8_t* p) { return half_to_float(word_at(p)); }
inline std::int8_t signed_at(const std::uint8_t* p) { return static_cast<std::int8_t>(*p); }

// A scale that weights can be divided by: where all codes of a group mean the same, a tiny one.
inline float divisor(float scale) { return scale != 0 ? scale : 0x1p-60f; }

// step · code + minimum as scale · (code − zero).
inline void set_line(float step, float minimum, float& scale, float& zero) {
  scale = divisor(step);
  zero = -minimum / scale;
}

}  // namespace nibble::block_formats
