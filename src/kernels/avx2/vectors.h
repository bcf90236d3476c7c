// Vectors of eight floats, as the texts in kernels/vector/ know them.
#pragma once

#include "kernels/avx2/intrinsics.h"
#include "kernels/kernels.h"
// where the namespace has its name:
#include "kernels/avx2/bytes.h"

namespace nibble::NIBBLE_ISA {

inline constexpr size_t kLanes = 8;
inline constexpr size_t kGemmColumns = 3;  // rows of x in a tile of ByteTiles
inline constexpr size_t kPackedRows = 2;   // at once: as many as the registers take
inline constexpr size_t kGemvRun = 2;      // vectors of a row with a sum each
inline constexpr bool kFetchesNextRows = false;
inline constexpr size_t kMixVectors = 8, kMixSums = 1;

using Floats = __m256;
using Ints = __m256i;
using Words = __m128i;  // kLanes of 16 bits

inline Floats load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Floats v) { _mm256_storeu_ps(p, v); }
inline Words load(const uint16_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline void store(uint16_t* p, Words v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }

inline Floats all(float value) { return _mm256_set1_ps(value); }
inline Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
inline Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
inline Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats mul(Floats a, float b) { return mul(a, all(b)); }
inline Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
// Where one of them is NaN: b.
inline Floats larger(Floats a, Floats b) { return _mm256_max_ps(a, b); }
inline Floats smaller(Floats a, Floats b) { return _mm256_min_ps(a, b); }
inline Floats larger_number(Floats a, Floats b) { return larger(a, b); }
inline Floats absolute(Floats v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
inline Floats negated(Floats v) { return sub(_mm256_setzero_ps(), v); }
inline Floats whole(Floats v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT); }
// c + a·b, c − a·b, a·b − c
inline Floats plus_product(Floats c, Floats a, Floats b) { return _mm256_fmadd_ps(a, b, c); }
inline Floats plus_product(Floats c, Floats a, float b) { return plus_product(c, a, all(b)); }
inline Floats less_product(Floats c, Floats a, Floats b) { return _mm256_fnmadd_ps(a, b, c); }
inline Floats less_product(Floats c, Floats a, float b) { return less_product(c, a, all(b)); }
inline Floats product_less(Floats a, float b, Floats c) { return _mm256_fmsub_ps(a, all(b), c); }

inline Ints all_ints(int32_t value) { return _mm256_set1_epi32(value); }
inline Ints add_ints(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
inline Ints or_ints(Ints a, Ints b) { return _mm256_or_si256(a, b); }
template <int Bits>
inline Ints moved_up(Ints v) {
  return _mm256_slli_epi32(v, Bits);
}
inline Ints rounded(Floats v) { return _mm256_cvtps_epi32(v); }
inline Floats to_floats(Ints v) { return _mm256_cvtepi32_ps(v); }
inline Floats float_bits(Ints v) { return _mm256_castsi256_ps(v); }

// `value`, but 0 where x < low and NaN where x is.
inline Floats limited(Floats value, Floats x, float low) {
  const Floats below = _mm256_cmp_ps(x, all(low), _CMP_LT_OQ);
  const Floats nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
  return _mm256_blendv_ps(_mm256_andnot_ps(below, value), x, nan);
}

// Four sums that wait for the others: lane i and lane i + 4 meet first.
inline __m128 four_lanes(Floats v) {
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
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
// The largest lane that is a number, not less than `least`.
inline float largest_lane(Floats v, float least) {
  float lanes[kLanes];
  store(lanes, v);
  for (const float lane : lanes) least = lane > least ? lane : least;
  return least;
}

inline Floats from_bfloat(Words v) { return float_bits(moved_up<16>(_mm256_cvtepu16_epi32(v))); }
inline Floats from_half(Words v) { return _mm256_cvtph_ps(v); }
inline Words to_half(Floats v) { return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT); }
inline Words to_bfloat(Floats v) {
  const Ints bits = _mm256_castps_si256(v), top = _mm256_srli_epi32(bits, 16);
  const Ints odd = _mm256_and_si256(top, all_ints(1));
  const Ints nearest =
      _mm256_srli_epi32(add_ints(bits, add_ints(odd, all_ints(0x7FFF))), 16);  // ties to even
  const Ints quiet = or_ints(top, all_ints(0x40));
  const Ints nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const Ints words = _mm256_blendv_epi8(nearest, quiet, nan);
  const Ints packed = _mm256_packus_epi32(words, words);  // inside 128 bits
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}

// Sixteen codes.
inline void to_floats(Bytes codes, Floats* out) {
  out[0] = to_floats(_mm256_cvtepu8_epi32(codes));
  out[1] = to_floats(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(codes, codes)));
}
// The entries of a table of 16 that sixteen codes name.
inline void from_table(Bytes codes, const float* table, Floats* out) {
  const Floats lower = load(table), upper = load(table + 8);
  for (int i = 0; i < 2; ++i, codes = _mm_unpackhi_epi64(codes, codes)) {
    const Ints index = _mm256_cvtepu8_epi32(codes);
    // Bit 3 chooses the half, as the sign of what is blended by.
    out[i] =
        _mm256_blendv_ps(_mm256_permutevar8x32_ps(lower, index),
                         _mm256_permutevar8x32_ps(upper, index), float_bits(moved_up<28>(index)));
  }
}
// 8-bit floats by their rising codes: from 127 on the magnitude's bits follow, below it they fall
// with the code. Shifted they are those of a float32 whose exponent is 120 too small.
inline void float8_values(Bytes codes, Floats* out) {
  for (int i = 0; i < 2; ++i, codes = _mm_unpackhi_epi64(codes, codes)) {
    const Ints above = add_ints(_mm256_cvtepu8_epi32(codes), all_ints(-127));
    const Ints negative = _mm256_srai_epi32(above, 31);
    const Ints size = moved_up<20>(_mm256_xor_si256(above, negative));
    out[i] = mul(float_bits(or_ints(size, moved_up<31>(negative))), 0x1p120f);
  }
}
inline void to_floats(const int8_t* sixteen, Floats* out) {
  for (int i = 0; i < 2; ++i)
    out[i] = to_floats(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(sixteen + 8 * i))));
}
// `codes` with 4 added where a bit of the next two bytes is set.
inline Bytes plus_fours(Bytes codes, const uint8_t* bits) {
  const Bytes spread = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const Bytes places = _mm_set1_epi64x(static_cast<long long>(0x8040201008040201ull));
  const Bytes both = _mm_shuffle_epi8(_mm_cvtsi32_si128(bits[0] | bits[1] << 8), spread);
  const Bytes set = _mm_cmpeq_epi8(_mm_and_si128(both, places), places);
  return _mm_or_si128(codes, masked(set, 4));
}

}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/tails.h"
