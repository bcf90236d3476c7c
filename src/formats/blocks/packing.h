// Writing what fields.h reads, and the ways to lay codes that several formats share.
#pragma once

#include <cstdint>

#include "tensor/half.h"

namespace nibble::block_formats {

inline void put_word(std::uint8_t* p, unsigned word) {
  p[0] = static_cast<std::uint8_t>(word);
  p[1] = static_cast<std::uint8_t>(word >> 8);
}
inline void put_double_word(std::uint8_t* p, std::uint32_t word) {
  put_word(p, word & 0xFFFF);
  put_word(p + 2, word >> 16);
}
inline void put_half(std::uint8_t* p, float value) { put_word(p, float_to_half(value)); }

// The low four bits of 2 · half codes: code i low, code i + half high.
inline void put_nibbles(const int* codes, int half, std::uint8_t* bytes) {
  for (int i = 0; i < half; ++i)
    bytes[i] = static_cast<std::uint8_t>((codes[i] & 15) | (codes[i + half] & 15) << 4);
}

// The bits 16 of 32 codes.
inline std::uint32_t fifth_bits(const int* codes) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 32; ++i) bits |= (static_cast<std::uint32_t>(codes[i]) >> 4 & 1) << i;
  return bits;
}

// Two bits of each of 256 codes, from bit `first` on, in 64 bytes as Q2_K lays them.
inline void put_pairs_of_bits(const int* codes, int first, std::uint8_t* bytes) {
  for (int half = 0; half < 2; ++half, codes += 128, bytes += 32)
    for (int l = 0; l < 32; ++l) {
      int byte = 0;
      for (int k = 0; k < 4; ++k) byte |= (codes[32 * k + l] >> first & 3) << (2 * k);
      bytes[l] = static_cast<std::uint8_t>(byte);
    }
}

// One bit of each of 256 codes: that of weight i in bit i / 32 of byte i % 32.
inline void put_single_bits(const int* codes, int which, std::uint8_t* bytes) {
  for (int l = 0; l < 32; ++l) {
    int byte = 0;
    for (int k = 0; k < 8; ++k) byte |= (codes[32 * k + l] >> which & 1) << k;
    bytes[l] = static_cast<std::uint8_t>(byte);
  }
}

}  // namespace nibble::block_formats
