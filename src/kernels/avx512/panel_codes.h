// Codes of a block, step by step, and the scales of a unit, 16 rows at a time.
#pragma once

#include "kernels/avx512/intrinsics.h"
#include "kernels/panel_types.h"

namespace nibble::NIBBLE_ISA {
namespace panel {

inline __m512i load(const uint8_t* p) {
  return _mm512_loadu_si512(reinterpret_cast<const __m512i*>(p));
}

template <int Left>
inline __m512i shifted(__m512i v) {
  if constexpr (Left > 0) return _mm512_slli_epi16(v, Left);
  if constexpr (Left < 0) return _mm512_srli_epi16(v, -Left);
  return v;
}

// Bits of `plane` for step k, moved to `Bit` and masked.
template <int Bit>
inline __m512i crumbs(__m512i plane, int half) {
  const __m512i mask = _mm512_set1_epi8(3 << Bit);
  switch (half) {
    case 0:
      return _mm512_and_si512(shifted<Bit>(plane), mask);
    case 1:
      return _mm512_and_si512(shifted<Bit - 2>(plane), mask);
    case 2:
      return _mm512_and_si512(shifted<Bit - 4>(plane), mask);
    default:
      return _mm512_and_si512(shifted<Bit - 6>(plane), mask);
  }
}

template <int Bit, int Step>
inline void add_single(__m512i plane, __m512i* steps) {
  const __m512i bit = _mm512_and_si512((shifted<Bit - Step>(plane)), _mm512_set1_epi8(1 << Bit));
  steps[Step] = _mm512_or_si512(steps[Step], bit);
}
template <int Bit>
inline void add_singles(const uint8_t* p, __m512i* steps) {
  const __m512i plane = load(p);
  add_single<Bit, 0>(plane, steps);
  add_single<Bit, 1>(plane, steps);
  add_single<Bit, 2>(plane, steps);
  add_single<Bit, 3>(plane, steps);
  add_single<Bit, 4>(plane, steps);
  add_single<Bit, 5>(plane, steps);
  add_single<Bit, 6>(plane, steps);
  add_single<Bit, 7>(plane, steps);
}

inline __m512i iv4_table() {
  const __m128i levels = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75,
                                       -59, -39, -15);  // kIv4 + 128
  return _mm512_broadcast_i32x4(levels);
}

template <int Bits>
inline constexpr size_t kBlockBytes = 64 * static_cast<size_t>(Bits);

// The eight steps of one block.
template <int Bits, bool Table>
inline void unpack(const uint8_t* p, __m512i* steps) {
  if constexpr (Bits == 8) {
    for (int k = 0; k < 8; ++k) steps[k] = load(p + 64 * k);
  } else if constexpr (Bits >= 4) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (int k = 0; k < 4; ++k) {
      const __m512i both = load(p + 64 * k);
      steps[k] = _mm512_and_si512(both, mask);
      steps[k + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
    }
    if constexpr (Table) {
      const __m512i table = iv4_table();
      for (int k = 0; k < 8; ++k) steps[k] = _mm512_shuffle_epi8(table, steps[k]);
    }
    if constexpr (Bits == 5) add_singles<4>(p + 256, steps);
    if constexpr (Bits == 6)
      for (int half = 0; half < 4; ++half)
        for (int k = 0; k < 2; ++k)
          steps[2 * half + k] =
              _mm512_or_si512(steps[2 * half + k], crumbs<4>(load(p + 256 + 64 * k), half));
  } else {
    for (int half = 0; half < 4; ++half)
      for (int k = 0; k < 2; ++k) steps[2 * half + k] = crumbs<0>(load(p + 64 * k), half);
    if constexpr (Bits == 3) add_singles<2>(p + 128, steps);
  }
}

// 16 numbers, one for each row, as floats.
inline __m512 halves(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline __m512 unsigned_bytes(__m128i v) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(v)); }
inline __m512 signed_bytes(__m128i v) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(v)); }
inline __m128i bytes(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline __m128i low_nibbles(__m128i v) { return _mm_and_si128(v, _mm_set1_epi8(15)); }
inline __m128i high_nibbles(__m128i v) { return low_nibbles(_mm_srli_epi16(v, 4)); }

}  // namespace panel
}  // namespace nibble::NIBBLE_ISA
