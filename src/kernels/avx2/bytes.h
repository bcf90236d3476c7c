// Sixteen bytes in an SSE register, for AVX2 and AVX-512; included by their vectors.h.
#pragma once

namespace nibble::NIBBLE_ISA {

using Bytes = __m128i;

inline Bytes sixteen(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline Bytes eight(const uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
// The lower eight bytes of each.
inline Bytes pair(Bytes low, Bytes high) { return _mm_unpacklo_epi64(low, high); }

// Bits [Right, …) of each byte moved down and masked. Shifts are of 16 bits: the mask takes away
// what comes from a byte's neighbour.
template <int Right>
inline Bytes moved_down(Bytes v) {
  return _mm_srli_epi16(v, Right);
}
inline Bytes masked(Bytes v, int mask) {
  return _mm_and_si128(v, _mm_set1_epi8(static_cast<char>(mask)));
}
inline Bytes high_nibble(Bytes v) { return masked(moved_down<4>(v), 15); }

// kIv4 + 128.
inline Bytes iv4_levels() {
  constexpr auto level = [](int i) { return static_cast<char>(kIv4[i] + 128); };
  return _mm_setr_epi8(level(0), level(1), level(2), level(3), level(4), level(5), level(6),
                       level(7), level(8), level(9), level(10), level(11), level(12), level(13),
                       level(14), level(15));
}

}  // namespace nibble::NIBBLE_ISA
