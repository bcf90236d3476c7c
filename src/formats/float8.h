// 8-bit floats of 1 sign, 4 exponent and 3 mantissa bits, bias 7, without infinities: E4M3 of OCP's
// 8-bit floating point specification. The largest is 448; 0x7F and 0xFF are no numbers.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace nibble {

inline constexpr float kLargestFloat8 = 448;

constexpr bool is_float8_nan(std::uint8_t bits) { return (bits & 0x7F) == 0x7F; }

// Not of the two that are no numbers.
constexpr float float8_to_float(std::uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  const float fraction = static_cast<float>(exponent == 0 ? mantissa : 8 + mantissa);
  // 2^(exponent − 7 − 3), of subnormals that of exponent 1.
  const int power = std::max(exponent, 1) - 10;
  const float size = fraction * std::bit_cast<float>(static_cast<std::uint32_t>(power + 127) << 23);
  return (bits & 0x80) != 0 ? -size : size;
}

// Nearest, ties to even; what is larger than 448 becomes that.
inline std::uint8_t float_to_float8(float value) {
  const float size = std::min(std::fabs(value), kLargestFloat8);
  // The lowest mantissa bit counts `step`; 16 of them carry into the exponent by themselves.
  const int exponent = std::max(std::ilogb(std::max(size, 0x1p-9f)), -6);
  const float step = std::ldexp(1.0f, exponent - 3);
  const auto count = static_cast<int>(std::nearbyint(size / step));  // 0 … 16
  const int bits = count < 8 ? count : ((exponent + 7) << 3) + count - 8;
  return static_cast<std::uint8_t>((std::signbit(value) ? 0x80 : 0) | bits);
}

}  // namespace nibble
