// Numbers at any address of a mapped file.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>

#include "formats/float8.h"
#include "nibble/dtype.h"
#include "tensor/half.h"

namespace nibble::layouts {

template <typename Value>
Value stored_value(const std::byte* from, std::size_t index) {
  Value value;
  std::memcpy(&value, from + index * sizeof(Value), sizeof(Value));
  return value;
}

// Of float types of 16 or 32 bits, of E4M3, and of powers of two (E8M0), whose 255 is no number.
inline float stored_float(const std::byte* from, DType type, std::size_t index) {
  if (type == DType::kF16) return half_to_float(stored_value<Half>(from, index));
  if (type == DType::kBF16) return bfloat16_to_float(stored_value<Bfloat16>(from, index));
  if (type == DType::kF32) return stored_value<float>(from, index);
  const auto bits = stored_value<std::uint8_t>(from, index);
  if (type == DType::kF8E8M0) return bits == 255 ? NAN : std::ldexp(1.0f, bits - 127);
  return is_float8_nan(bits) ? NAN : float8_to_float(bits);
}

}  // namespace nibble::layouts
