// Codes of a panel as bytes: four rows of four, as the texts in kernels/vector/ know them.
#pragma once

#include "kernels/neon/vectors.h"

namespace nibble::NIBBLE_ISA {

using Codes = uint8x16_t;

// Products take signed bytes. Codes of fewer than eight bits are such as they are, the others are
// centred.
inline constexpr bool kSignedCodes = true;

inline Codes load(const uint8_t* p) { return vld1q_u8(p); }
inline void store(uint8_t* p, Codes v) { vst1q_u8(p, v); }

template <int Left>
inline Codes shifted(Codes v) {
  if constexpr (Left > 0) return vshlq_n_u8(v, Left);
  if constexpr (Left < 0) return vshrq_n_u8(v, -Left);
  return v;
}
// Bits moved up by Left and masked.
template <int Mask, int Left>
inline Codes bits_of(Codes v) {
  if constexpr (Left < 0 && Mask == 255 >> -Left) return shifted<Left>(v);
  return vandq_u8(shifted<Left>(v), vdupq_n_u8(Mask));
}
// `codes` with the bits of Mask taken from a plane.
template <int Mask, int Left>
inline Codes with_bits(Codes codes, Codes plane) {
  return vbslq_u8(vdupq_n_u8(Mask), shifted<Left>(plane), codes);
}

inline Codes centred(Codes v) { return veorq_u8(v, vdupq_n_u8(128)); }
inline Codes iv4_levels(Codes index) {
  return vqtbl1q_u8(vreinterpretq_u8_s8(vld1q_s8(kIv4)), index);
}

// Byte `index` of the row's lane of `table`.
inline Codes own_bytes(Ints table, Codes index) {
  const uint8_t starts[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  return vqtbl1q_u8(vreinterpretq_u8_s32(table), vaddq_u8(index, vld1q_u8(starts)));
}

// Each row's factor in the four 16-bit lanes of its codes.
struct Factors {
  int16x8_t low, high;
};
inline int16x8_t two_factors(Ints factor, uint8_t first_byte) {
  const uint8_t low_halves[16] = {0, 1, 0, 1, 0, 1, 0, 1, 4, 5, 4, 5, 4, 5, 4, 5};
  const uint8x16_t index = vaddq_u8(vld1q_u8(low_halves), vdupq_n_u8(first_byte));
  return vreinterpretq_s16_u8(vqtbl1q_u8(vreinterpretq_u8_s32(factor), index));
}
inline Factors spread(Ints factor) { return {two_factors(factor, 0), two_factors(factor, 8)}; }

// round((code − Offset) · factor) + 128, factor in 2^(Shift − 15)ths.
template <int Offset, int Shift>
inline uint8x8_t rescaled(uint8x8_t codes, int16x8_t factor) {
  const int16x8_t wide = vreinterpretq_s16_u16(vmovl_u8(codes));
  const int16x8_t code = vshlq_n_s16(vsubq_s16(wide, vdupq_n_s16(Offset)), Shift);
  // The product is a·b / 2^15, rounded: the code takes Shift of the bits.
  return vqmovun_s16(vaddq_s16(vqrdmulhq_s16(code, factor), vdupq_n_s16(128)));
}
template <int Offset, int Shift>
inline Codes rescaled(Codes codes, Factors factors) {
  const uint8x8_t low = rescaled<Offset, Shift>(vget_low_u8(codes), factors.low);
  const uint8x8_t high = rescaled<Offset, Shift>(vget_high_u8(codes), factors.high);
  return vcombine_u8(low, high);
}

// Numbers of a header, one for each row, as floats. Headers have no alignment of their own.
inline Floats halves(const uint8_t* p) { return from_half(vreinterpret_u16_u8(vld1_u8(p))); }
inline uint32_t word_at(const uint8_t* p) {
  uint32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return word;
}
inline uint16x4_t four_words(const uint8_t* p) {
  return vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word_at(p)))));
}
inline Floats widened(uint16x4_t v) { return vcvtq_f32_u32(vmovl_u16(v)); }
inline Floats unsigned_bytes(const uint8_t* p) { return widened(four_words(p)); }
inline Floats signed_bytes(const uint8_t* p) {
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(word_at(p))));
  return to_floats(vmovl_s16(vget_low_s16(wide)));
}
inline Floats low_nibbles(const uint8_t* p) {
  return widened(vand_u16(four_words(p), vdup_n_u16(15)));
}
inline Floats high_nibbles(const uint8_t* p) { return widened(vshr_n_u16(four_words(p), 4)); }

}  // namespace nibble::NIBBLE_ISA
