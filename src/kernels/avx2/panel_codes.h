// Codes of a block for half a panel (8 rows), step by step, and the scales of a unit.
#pragma once

#include "kernels/avx2/intrinsics.h"
#include "kernels/panel_types.h"

namespace nibble::NIBBLE_ISA {
namespace panel {

inline __m256i load(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

template <int Left>
inline __m256i shifted(__m256i v) {
  if constexpr (Left > 0) return _mm256_slli_epi16(v, Left);
  if constexpr (Left < 0) return _mm256_srli_epi16(v, -Left);
  return v;
}

// Bits of a two-bit plane for steps 2·Half and 2·Half + 1, moved to `Bit`.
template <int Bit, int Half>
inline __m256i crumbs(__m256i plane) {
  return _mm256_and_si256(shifted<Bit - 2 * Half>(plane), _mm256_set1_epi8(3 << Bit));
}
template <int Bit>
inline void all_crumbs(const uint8_t* p, __m256i* out) {
  const __m256i even = load(p), odd = load(p + 64);
  out[0] = crumbs<Bit, 0>(even);
  out[1] = crumbs<Bit, 0>(odd);
  out[2] = crumbs<Bit, 1>(even);
  out[3] = crumbs<Bit, 1>(odd);
  out[4] = crumbs<Bit, 2>(even);
  out[5] = crumbs<Bit, 2>(odd);
  out[6] = crumbs<Bit, 3>(even);
  out[7] = crumbs<Bit, 3>(odd);
}

template <int Bit, int Step>
inline void add_single(__m256i plane, __m256i* steps) {
  steps[Step] = _mm256_or_si256(
      steps[Step], _mm256_and_si256(shifted<Bit - Step>(plane), _mm256_set1_epi8(1 << Bit)));
}
template <int Bit>
inline void add_singles(const uint8_t* p, __m256i* steps) {
  const __m256i plane = load(p);
  add_single<Bit, 0>(plane, steps);
  add_single<Bit, 1>(plane, steps);
  add_single<Bit, 2>(plane, steps);
  add_single<Bit, 3>(plane, steps);
  add_single<Bit, 4>(plane, steps);
  add_single<Bit, 5>(plane, steps);
  add_single<Bit, 6>(plane, steps);
  add_single<Bit, 7>(plane, steps);
}

inline __m256i iv4_table() {  // kIv4 + 128
  return _mm256_broadcastsi128_si256(
      _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75, -59, -39, -15));
}

template <int Bits>
inline constexpr size_t kBlockBytes = 64 * static_cast<size_t>(Bits);

// The eight steps of one block; p is moved by 32 bytes for the upper eight rows.
template <int Bits, bool Table>
inline void unpack(const uint8_t* p, __m256i* steps) {
  if constexpr (Bits == 8) {
    for (int k = 0; k < 8; ++k) steps[k] = load(p + 64 * k);
  } else if constexpr (Bits >= 4) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (int k = 0; k < 4; ++k) {
      const __m256i both = load(p + 64 * k);
      steps[k] = _mm256_and_si256(both, mask);
      steps[k + 4] = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
    }
    if constexpr (Table)
      for (int k = 0; k < 8; ++k) steps[k] = _mm256_shuffle_epi8(iv4_table(), steps[k]);
    if constexpr (Bits == 5) add_singles<4>(p + 256, steps);
    if constexpr (Bits == 6) {
      __m256i top[8];
      all_crumbs<4>(p + 256, top);
      for (int k = 0; k < 8; ++k) steps[k] = _mm256_or_si256(steps[k], top[k]);
    }
  } else {
    all_crumbs<0>(p, steps);
    if constexpr (Bits == 3) add_singles<2>(p + 128, steps);
  }
}

inline __m256i four_bytes(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return _mm256_set1_epi32(word);
}

// Σ code·x over steps [First, Last) as int32: products of two bytes are added in 16 bits as often
// as they fit there. `Bits`: codes are below 2^Bits; 8: signed, 128 taken off.
template <int Bits, int First, int Last>
inline __m256i dot(const __m256i* steps, const int8_t* x, __m256i start) {
  const __m256i ones = _mm256_set1_epi16(1);
  constexpr int kRun = Bits <= 4 ? 8 : Bits == 5 ? 4 : Bits == 6 ? 2 : 1;
  for (int k = First; k < Last;) {
    __m256i sum = _mm256_setzero_si256();
    const int end = k + kRun < Last ? k + kRun : Last;
    for (; k < end; ++k) {
      const __m256i four = four_bytes(x + 4 * k);
      if constexpr (Bits == 8) {
        const __m256i code = _mm256_xor_si256(steps[k], _mm256_set1_epi8(-128));
        sum = _mm256_maddubs_epi16(_mm256_abs_epi8(code), _mm256_sign_epi8(four, code));
      } else {
        sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(steps[k], four));
      }
    }
    start = _mm256_add_epi32(start, _mm256_madd_epi16(sum, ones));
  }
  return start;
}

// Eight numbers, one for each row, as floats.
inline __m256 halves(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m128i bytes(const uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
inline __m256 unsigned_bytes(__m128i v) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v)); }
inline __m256 signed_bytes(__m128i v) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)); }
inline __m128i low_nibbles(__m128i v) { return _mm_and_si128(v, _mm_set1_epi8(15)); }
inline __m128i high_nibbles(__m128i v) { return low_nibbles(_mm_srli_epi16(v, 4)); }
inline __m256 absolute(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

}  // namespace panel
}  // namespace nibble::NIBBLE_ISA
