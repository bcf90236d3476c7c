// Codes of 1 to 8 bits as a dense stream of 32-bit words, least significant bit first: code k
// occupies stream bits k·bits … k·bits + bits − 1. 32 codes fill exactly `bits` words.
#pragma once

#include <cstdint>
#include <span>

namespace nibble {

// Four streams beside each other, or the same word of four rows.
using FourWords = std::uint32_t __attribute__((vector_size(16)));

// words: `bits` of them; codes: 32.
inline void pack_32(const std::uint8_t* codes, int bits, std::span<std::uint32_t> words) {
  std::uint64_t window = 0;
  int held = 0;
  std::size_t next = 0;
  for (int k = 0; k < 32; ++k) {
    window |= static_cast<std::uint64_t>(codes[k]) << held;
    held += bits;
    if (held >= 32) {
      words[next++] = static_cast<std::uint32_t>(window);
      window >>= 32;
      held -= 32;
    }
  }
}

// Codes 4·step … 4·step + 3 of the 32 in `words`, one a byte, the first lowest. Word may be a
// vector: streams beside each other.
template <int Bits, typename Word>
inline Word four_codes(const Word* words, int step) {
  constexpr auto kPair = static_cast<std::uint32_t>((std::uint64_t{1} << (2 * Bits)) - 1);
  constexpr std::uint32_t kCode = ((1u << Bits) - 1) * 0x00010001u;
  const int at = 4 * Bits * step, shift = at % 32;
  Word four = words[at / 32] >> shift;
  if (shift + 4 * Bits > 32) four |= words[at / 32 + 1] << (32 - shift);
  four = (four & kPair) | (four << (16 - 2 * Bits) & kPair << 16);
  return (four & kCode) | (four << (8 - Bits) & kCode << 8);
}

}  // namespace nibble
