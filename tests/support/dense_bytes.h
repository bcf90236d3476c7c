// Floats as a checkpoint has them.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "nibble/dtype.h"
#include "tensor/half.h"

namespace nibble::test {

// In F16, BF16 or F32.
inline std::vector<std::byte> dense_bytes(const std::vector<float>& weights, DType type) {
  std::vector<std::byte> bytes(weights.size() * static_cast<std::size_t>(bits(type)) / 8);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (type == DType::kF32) {
      std::memcpy(bytes.data() + 4 * i, &weights[i], 4);
      continue;
    }
    const std::uint16_t word =
        type == DType::kF16 ? float_to_half(weights[i]) : float_to_bfloat16(weights[i]);
    std::memcpy(bytes.data() + 2 * i, &word, 2);
  }
  return bytes;
}

}  // namespace nibble::test
