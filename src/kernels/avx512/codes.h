// Codes of a panel as bytes: 16 rows of four, as the texts in kernels/vector/ know them.
#pragma once

#include "kernels/avx512/vectors.h"

namespace nibble::NIBBLE_ISA {

using Codes = __m512i;

// Products take one operand without signs: codes stay as they are.
inline constexpr bool kSignedCodes = false;

inline Codes load(const uint8_t* p) {
  return _mm512_loadu_si512(reinterpret_cast<const __m512i*>(p));
}
inline void store(uint8_t* p, Codes v) { _mm512_storeu_si512(reinterpret_cast<__m512i*>(p), v); }
inline Codes all_bytes(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }

// Bits moved up by Left and masked. Shifts are of 16 bits: the mask takes away what comes from a
// byte's neighbour.
template <int Mask, int Left>
inline Codes bits_of(Codes v) {
  if constexpr (Left > 0) v = _mm512_slli_epi16(v, Left);
  if constexpr (Left < 0) v = _mm512_srli_epi16(v, -Left);
  return _mm512_and_si512(v, all_bytes(Mask));
}
// `codes`, whose bits of Mask are 0, with those of a plane.
template <int Mask, int Left>
inline Codes with_bits(Codes codes, Codes plane) {
  return _mm512_or_si512(codes, (bits_of<Mask, Left>(plane)));
}

inline Codes centred(Codes v) { return _mm512_xor_si512(v, all_bytes(128)); }
inline Codes four_times(Bytes v) { return _mm512_broadcast_i32x4(v); }
inline Codes iv4_levels(Codes index) {
  return _mm512_shuffle_epi8(four_times(iv4_levels()), index);
}

// Byte `index` of the row's lane of `table`. A shuffle works inside 128 bits, that is four rows.
inline Codes own_bytes(Ints table, Codes index) {
  const Bytes starts = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
  return _mm512_shuffle_epi8(table, _mm512_add_epi8(index, four_times(starts)));
}

// Each row's factor in the four 16-bit lanes of its codes.
struct Factors {
  __m512i low, high;
};
inline Factors spread(Ints factor) {
  const __m256i words = _mm512_cvtepi32_epi16(factor);
  const __m512i low = _mm512_cvtepu16_epi64(_mm256_castsi256_si128(words));
  const __m512i high = _mm512_cvtepu16_epi64(_mm256_extracti128_si256(words, 1));
  const __m512i low_twice = or_ints(low, _mm512_slli_epi64(low, 16));
  const __m512i high_twice = or_ints(high, _mm512_slli_epi64(high, 16));
  return {or_ints(low_twice, _mm512_slli_epi64(low_twice, 32)),
          or_ints(high_twice, _mm512_slli_epi64(high_twice, 32))};
}

// round((code − Offset) · factor) + 128, factor in 2^(Shift − 15)ths.
template <int Offset, int Shift>
inline Codes rescaled(Codes codes, Factors factors) {
  const __m512i base = _mm512_set1_epi16(Offset), middle = _mm512_set1_epi16(128);
  const __m512i low = _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(codes)), base);
  const __m512i high =
      _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(codes, 1)), base);
  // mulhrs gives a·b / 2^15: the code takes Shift of the bits.
  const __m512i a = _mm512_mulhrs_epi16(_mm512_slli_epi16(low, Shift), factors.low);
  const __m512i b = _mm512_mulhrs_epi16(_mm512_slli_epi16(high, Shift), factors.high);
  const __m256i first = _mm512_cvtepi16_epi8(_mm512_add_epi16(a, middle));
  const __m256i second = _mm512_cvtepi16_epi8(_mm512_add_epi16(b, middle));
  return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
}

// Numbers of a header, one for each row, as floats.
inline Floats halves(const uint8_t* p) {
  return from_half(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Floats unsigned_bytes(Bytes v) { return to_floats(_mm512_cvtepu8_epi32(v)); }
inline Floats unsigned_bytes(const uint8_t* p) { return unsigned_bytes(sixteen(p)); }
inline Floats signed_bytes(const uint8_t* p) { return to_floats(_mm512_cvtepi8_epi32(sixteen(p))); }
inline Floats low_nibbles(const uint8_t* p) { return unsigned_bytes(masked(sixteen(p), 15)); }
inline Floats high_nibbles(const uint8_t* p) { return unsigned_bytes(high_nibble(sixteen(p))); }

// Four bytes of x, for every row.
inline Codes four_bytes(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return all_ints(word);
}

}  // namespace nibble::NIBBLE_ISA
