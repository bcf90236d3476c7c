// Vectors of 16 floats, as the texts in kernels/vector/ know them.
#pragma once

#include "kernels/avx512/intrinsics.h"
#include "kernels/kernels.h"
// where the namespace has its name:
#include "kernels/avx2/bytes.h"

namespace nibble::NIBBLE_ISA {

inline constexpr size_t kLanes = 16;
inline constexpr size_t kGemmColumns = 6;  // rows of x in a tile of ByteTiles
inline constexpr size_t kPackedRows = 4;   // at once: as many as the registers take
inline constexpr size_t kGemvRun = 2;      // vectors of a row with a sum each
inline constexpr bool kFetchesNextRows = true;
inline constexpr size_t kMixVectors = 4, kMixSums = 2;

using Floats = __m512;
using Ints = __m512i;
using Words = __m256i;  // kLanes of 16 bits

inline Floats load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
inline Words load(const uint16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store(uint16_t* p, Words v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

// The first `count` (up to 16) values of p, zeros behind them.
inline __mmask16 first_lanes(size_t count) { return static_cast<__mmask16>((1u << count) - 1); }
inline Floats load_first(const float* p, size_t count) {
  return _mm512_maskz_loadu_ps(first_lanes(count), p);
}
inline Words load_first(const uint16_t* p, size_t count) {
  return _mm256_maskz_loadu_epi16(first_lanes(count), p);
}
inline void store_first(float* p, Floats v, size_t count) {
  _mm512_mask_storeu_ps(p, first_lanes(count), v);
}
inline void store_first(uint16_t* p, Words v, size_t count) {
  uint16_t lanes[kLanes];
  store(lanes, v);
  for (size_t i = 0; i < count; ++i) p[i] = lanes[i];
}

inline Floats all(float value) { return _mm512_set1_ps(value); }
inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
inline Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats mul(Floats a, float b) { return mul(a, all(b)); }
inline Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
// Where one of them is NaN: b.
inline Floats larger(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Floats smaller(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Floats larger_number(Floats a, Floats b) { return larger(a, b); }
inline Floats absolute(Floats v) { return _mm512_abs_ps(v); }
inline Floats negated(Floats v) { return sub(_mm512_setzero_ps(), v); }
inline Floats whole(Floats v) { return _mm512_roundscale_ps(v, 0); }
// c + a·b, c − a·b, a·b − c
inline Floats plus_product(Floats c, Floats a, Floats b) { return _mm512_fmadd_ps(a, b, c); }
inline Floats plus_product(Floats c, Floats a, float b) { return plus_product(c, a, all(b)); }
inline Floats less_product(Floats c, Floats a, Floats b) { return _mm512_fnmadd_ps(a, b, c); }
inline Floats less_product(Floats c, Floats a, float b) { return less_product(c, a, all(b)); }
inline Floats product_less(Floats a, float b, Floats c) { return _mm512_fmsub_ps(a, all(b), c); }

inline Ints all_ints(int32_t value) { return _mm512_set1_epi32(value); }
inline Ints add_ints(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
inline Ints or_ints(Ints a, Ints b) { return _mm512_or_si512(a, b); }
template <int Bits>
inline Ints moved_up(Ints v) {
  return _mm512_slli_epi32(v, Bits);
}
inline Ints rounded(Floats v) { return _mm512_cvtps_epi32(v); }
inline Floats to_floats(Ints v) { return _mm512_cvtepi32_ps(v); }
inline Floats float_bits(Ints v) { return _mm512_castsi512_ps(v); }

// `value`, but 0 where x < low and NaN where x is.
inline Floats limited(Floats value, Floats x, float low) {
  const __mmask16 below = _mm512_cmp_ps_mask(x, all(low), _CMP_LT_OQ);
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_mask_mov_ps(_mm512_mask_mov_ps(value, below, _mm512_setzero_ps()), nan, x);
}

// Four sums that wait for the others: lane i and lane i + 4 meet first.
inline __m128 four_lanes(Floats v) {
  const __m512d wide = _mm512_castps_pd(v);
  const __m256 both = _mm256_add_ps(_mm256_castpd_ps(_mm512_castpd512_pd256(wide)),
                                    _mm256_castpd_ps(_mm512_extractf64x4_pd(wide, 1)));
  return _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
}
inline float sum_of(Floats v) {
  const __m128 four = four_lanes(v);
  const __m128 two = _mm_hadd_ps(four, four);
  return _mm_cvtss_f32(_mm_hadd_ps(two, two));
}
// Sums of four vectors, in the same order as sum_of.
inline void sums_of_four(const Floats* v, float* out) {
  const __m128 low = _mm_hadd_ps(four_lanes(v[0]), four_lanes(v[1]));
  const __m128 high = _mm_hadd_ps(four_lanes(v[2]), four_lanes(v[3]));
  _mm_storeu_ps(out, _mm_hadd_ps(low, high));
}
// One lane after the other.
inline float sum_in_turn(Floats v) {
  float lanes[kLanes];
  store(lanes, v);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}
// The sum of `total` and of the first `count` lanes of `tail`.
inline float sum_with_tail(Floats total, Floats tail, size_t count) {
  return sum_of(add(total, _mm512_maskz_mov_ps(first_lanes(count), tail)));
}
inline float largest_lane(Floats v, float) { return _mm512_reduce_max_ps(v); }

inline Floats from_bfloat(Words v) { return float_bits(moved_up<16>(_mm512_cvtepu16_epi32(v))); }
inline Floats from_half(Words v) { return _mm512_cvtph_ps(v); }
inline Words to_half(Floats v) { return _mm512_cvtps_ph(v, 0 /* to nearest */); }
inline Words to_bfloat(Floats v) {
  const Ints bits = _mm512_castps_si512(v), top = _mm512_srli_epi32(bits, 16);
  const Ints odd = _mm512_and_si512(top, all_ints(1));
  const Ints nearest =
      _mm512_srli_epi32(add_ints(bits, add_ints(odd, all_ints(0x7FFF))), 16);  // ties to even
  const Ints quiet = or_ints(top, all_ints(0x40));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(nearest, nan, quiet));
}

// Sixteen codes.
inline void to_floats(Bytes codes, Floats* out) { out[0] = to_floats(_mm512_cvtepu8_epi32(codes)); }
// The entries of a table of 16 that sixteen codes name.
inline void from_table(Bytes codes, const float* table, Floats* out) {
  out[0] = _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(codes), load(table));
}
// 8-bit floats by their rising codes: from 127 on the magnitude's bits follow, below it they fall
// with the code. Shifted they are those of a float32 whose exponent is 120 too small.
inline void float8_values(Bytes codes, Floats* out) {
  const Ints above = add_ints(_mm512_cvtepu8_epi32(codes), all_ints(-127));
  const Ints negative = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_srli_epi32(above, 31));
  const Ints size = moved_up<20>(_mm512_xor_si512(above, negative));
  out[0] = mul(float_bits(or_ints(size, moved_up<31>(negative))), 0x1p120f);
}
inline void to_floats(const int8_t* sixteen, Floats* out) {
  out[0] =
      to_floats(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen))));
}
// `codes` with 4 added where a bit of the next two bytes is set.
inline Bytes plus_fours(Bytes codes, const uint8_t* bits) {
  const auto set = static_cast<__mmask16>(bits[0] | bits[1] << 8);
  return _mm_mask_add_epi8(codes, set, codes, _mm_set1_epi8(4));
}

}  // namespace nibble::NIBBLE_ISA
