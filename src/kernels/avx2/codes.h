// Codes of a panel as bytes: eight rows of four, as the texts in kernels/vector/ know them.
#pragma once

#include "kernels/avx2/vectors.h"

namespace nibble::NIBBLE_ISA {

using Codes = __m256i;

// Products take one operand without signs: codes stay as they are.
inline constexpr bool kSignedCodes = false;

inline Codes load(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store(uint8_t* p, Codes v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
inline Codes all_bytes(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }

// Bits moved up by Left and masked. Shifts are of 16 bits: the mask takes away what comes from a
// byte's neighbour.
template <int Mask, int Left>
inline Codes bits_of(Codes v) {
  if constexpr (Left > 0) v = _mm256_slli_epi16(v, Left);
  if constexpr (Left < 0) v = _mm256_srli_epi16(v, -Left);
  return _mm256_and_si256(v, all_bytes(Mask));
}
// `codes`, whose bits of Mask are 0, with those of a plane.
template <int Mask, int Left>
inline Codes with_bits(Codes codes, Codes plane) {
  return _mm256_or_si256(codes, (bits_of<Mask, Left>(plane)));
}

inline Codes centred(Codes v) { return _mm256_xor_si256(v, all_bytes(128)); }
inline Codes twice(Bytes v) { return _mm256_broadcastsi128_si256(v); }
inline Codes iv4_levels(Codes index) { return _mm256_shuffle_epi8(twice(iv4_levels()), index); }

// Byte `index` of the row's lane of `table`. A shuffle works inside 128 bits, that is four rows.
inline Codes own_bytes(Ints table, Codes index) {
  const Bytes starts = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
  return _mm256_shuffle_epi8(table, _mm256_add_epi8(index, twice(starts)));
}

// Each row's factor in the four 16-bit lanes of its codes.
struct Factors {
  __m256i low, high;
};
inline Factors spread(Ints factor) {
  const Ints word = _mm256_and_si256(factor, all_ints(0xFFFF));
  const Ints twice = or_ints(word, moved_up<16>(word));
  return {_mm256_permutevar8x32_epi32(twice, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
          _mm256_permutevar8x32_epi32(twice, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}

// round((code − Offset) · factor) + 128, factor in 2^(Shift − 15)ths.
template <int Offset, int Shift>
inline Codes rescaled(Codes codes, Factors factors) {
  const __m256i base = _mm256_set1_epi16(Offset), middle = _mm256_set1_epi16(128);
  const __m256i low = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm256_castsi256_si128(codes)), base);
  const __m256i high =
      _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm256_extracti128_si256(codes, 1)), base);
  // mulhrs gives a·b / 2^15: the code takes Shift of the bits.
  const __m256i a = _mm256_mulhrs_epi16(_mm256_slli_epi16(low, Shift), factors.low);
  const __m256i b = _mm256_mulhrs_epi16(_mm256_slli_epi16(high, Shift), factors.high);
  const __m256i both =
      _mm256_packus_epi16(_mm256_add_epi16(a, middle), _mm256_add_epi16(b, middle));
  return _mm256_permute4x64_epi64(both, 0xD8);  // packing works inside 128 bits
}

// Numbers of a header, one for each row, as floats.
inline Floats halves(const uint8_t* p) { return from_half(sixteen(p)); }
inline Floats unsigned_bytes(Bytes v) { return to_floats(_mm256_cvtepu8_epi32(v)); }
inline Floats unsigned_bytes(const uint8_t* p) { return unsigned_bytes(eight(p)); }
inline Floats signed_bytes(const uint8_t* p) { return to_floats(_mm256_cvtepi8_epi32(eight(p))); }
inline Floats low_nibbles(const uint8_t* p) { return unsigned_bytes(masked(eight(p), 15)); }
inline Floats high_nibbles(const uint8_t* p) { return unsigned_bytes(high_nibble(eight(p))); }

// Four bytes of x, for every row.
inline Codes four_bytes(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return all_ints(word);
}

}  // namespace nibble::NIBBLE_ISA
