// Vectors of four floats, as the texts in kernels/vector/ know them.
#pragma once

#include "kernels/kernels.h"
#include "kernels/neon/intrinsics.h"

namespace nibble::NIBBLE_ISA {

inline constexpr size_t kLanes = 4;
inline constexpr size_t kGemmColumns = 4;  // rows of x in a tile of ByteTiles
inline constexpr size_t kPackedRows = 4;   // at once: as many as the registers take
inline constexpr size_t kGemvRun = 4;      // vectors of a row with a sum each
inline constexpr bool kFetchesNextRows = false;
inline constexpr size_t kMixVectors = 8, kMixSums = 1;

using Floats = float32x4_t;
using Ints = int32x4_t;
using Words = uint16x4_t;  // kLanes of 16 bits
using Bytes = uint8x16_t;

inline Floats load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, Floats v) { vst1q_f32(p, v); }
inline Words load(const uint16_t* p) { return vld1_u16(p); }
inline void store(uint16_t* p, Words v) { vst1_u16(p, v); }

inline Floats all(float value) { return vdupq_n_f32(value); }
inline Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
inline Floats sub(Floats a, Floats b) { return vsubq_f32(a, b); }
inline Floats mul(Floats a, Floats b) { return vmulq_f32(a, b); }
inline Floats mul(Floats a, float b) { return vmulq_n_f32(a, b); }
inline Floats div(Floats a, Floats b) { return vdivq_f32(a, b); }
// Where one of them is NaN: NaN.
inline Floats larger(Floats a, Floats b) { return vmaxq_f32(a, b); }
inline Floats smaller(Floats a, Floats b) { return vminq_f32(a, b); }
// b where a is NaN.
inline Floats larger_number(Floats a, Floats b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
inline Floats absolute(Floats v) { return vabsq_f32(v); }
inline Floats negated(Floats v) { return vmulq_n_f32(v, -1); }
inline Floats whole(Floats v) { return vrndnq_f32(v); }
// c + a·b, c − a·b, a·b − c
inline Floats plus_product(Floats c, Floats a, Floats b) { return vfmaq_f32(c, a, b); }
inline Floats plus_product(Floats c, Floats a, float b) { return vfmaq_n_f32(c, a, b); }
inline Floats less_product(Floats c, Floats a, Floats b) { return vfmsq_f32(c, a, b); }
inline Floats less_product(Floats c, Floats a, float b) { return vfmaq_n_f32(c, a, -b); }
inline Floats product_less(Floats a, float b, Floats c) { return vsubq_f32(vmulq_n_f32(a, b), c); }

inline Ints all_ints(int32_t value) { return vdupq_n_s32(value); }
inline Ints add_ints(Ints a, Ints b) { return vaddq_s32(a, b); }
inline Ints or_ints(Ints a, Ints b) { return vorrq_s32(a, b); }
template <int Bits>
inline Ints moved_up(Ints v) {
  return vshlq_n_s32(v, Bits);
}
inline Ints rounded(Floats v) { return vcvtnq_s32_f32(v); }
inline Floats to_floats(Ints v) { return vcvtq_f32_s32(v); }
inline Floats float_bits(Ints v) { return vreinterpretq_f32_s32(v); }

// `value`, but 0 where x < low. Where x is NaN, minimum and maximum have let it through to here.
inline Floats limited(Floats value, Floats x, float low) {
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(value), vcltq_f32(x, all(low))));
}

inline float sum_of(Floats v) { return vaddvq_f32(v); }
inline void sums_of_four(const Floats* v, float* out) {
  for (int i = 0; i < 4; ++i) out[i] = sum_of(v[i]);
}
inline float sum_in_turn(Floats v) { return sum_of(v); }
inline float largest_lane(Floats v, float) { return vmaxvq_f32(v); }

inline Floats from_bfloat(Words v) { return vreinterpretq_f32_u32(vshll_n_u16(v, 16)); }
inline Floats from_half(Words v) { return vcvt_f32_f16(vreinterpret_f16_u16(v)); }
inline Words to_half(Floats v) { return vreinterpret_u16_f16(vcvt_f16_f32(v)); }
inline Words to_bfloat(Floats v) {
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t nearest = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));  // ties to even
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x40 << 16));
  return vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), nearest, quiet), 16);
}

inline Bytes sixteen(const uint8_t* p) { return vld1q_u8(p); }
inline Bytes eight(const uint8_t* p) { return vcombine_u8(vld1_u8(p), vdup_n_u8(0)); }
// The lower eight bytes of each.
inline Bytes pair(Bytes low, Bytes high) {
  return vcombine_u8(vget_low_u8(low), vget_low_u8(high));
}
template <int Right>
inline Bytes moved_down(Bytes v) {
  return vshrq_n_u8(v, Right);
}
inline Bytes masked(Bytes v, int mask) {
  return vandq_u8(v, vdupq_n_u8(static_cast<uint8_t>(mask)));
}
inline Bytes high_nibble(Bytes v) { return vshrq_n_u8(v, 4); }

// Sixteen codes.
inline void to_floats(Bytes codes, Floats* out) {
  const uint16x8_t low = vmovl_u8(vget_low_u8(codes)), high = vmovl_high_u8(codes);
  out[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
  out[1] = vcvtq_f32_u32(vmovl_high_u16(low));
  out[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
  out[3] = vcvtq_f32_u32(vmovl_high_u16(high));
}
// The entries of a table of 16 that sixteen codes name.
inline void from_table(Bytes codes, const float* table, Floats* out) {
  uint8_t index[16];
  float lanes[16];
  vst1q_u8(index, codes);
  for (int i = 0; i < 16; ++i) lanes[i] = table[index[i]];
  for (int i = 0; i < 4; ++i) out[i] = load(lanes + 4 * i);
}
// 8-bit floats by their rising codes: from 127 on the magnitude's bits follow, below it they fall
// with the code. Shifted they are those of a float32 whose exponent is 120 too small.
inline void float8_values(Bytes codes, Floats* out) {
  const uint16x8_t low = vmovl_u8(vget_low_u8(codes)), high = vmovl_high_u8(codes);
  const Ints wide[4] = {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))),
                        vreinterpretq_s32_u32(vmovl_high_u16(low)),
                        vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
                        vreinterpretq_s32_u32(vmovl_high_u16(high))};
  for (int i = 0; i < 4; ++i) {
    const Ints above = add_ints(wide[i], all_ints(-127));
    const Ints negative = vshrq_n_s32(above, 31);
    const Ints size = moved_up<20>(veorq_s32(above, negative));
    out[i] = mul(float_bits(or_ints(size, moved_up<31>(negative))), 0x1p120f);
  }
}
inline void to_floats(const int8_t* sixteen, Floats* out) {
  for (int i = 0; i < 2; ++i) {
    const int16x8_t words = vmovl_s8(vld1_s8(sixteen + 8 * i));
    out[2 * i] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
    out[2 * i + 1] = vcvtq_f32_s32(vmovl_high_s16(words));
  }
}
// `codes` with 4 added where a bit of the next two bytes is set.
inline Bytes plus_fours(Bytes codes, const uint8_t* bits) {
  const uint8_t places[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x8_t place = vld1_u8(places);
  const Bytes both = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
  return vorrq_u8(codes, masked(vtstq_u8(both, vcombine_u8(place, place)), 4));
}

}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/tails.h"
