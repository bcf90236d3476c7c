// The AVX-512 intrinsics that SIMDe 0.7.4 lacks, lane by lane, for the test build alone.
#pragma once

#include <stddef.h>
#include <stdint.h>

using __mmask16 = simde__mmask16;

namespace nibble::NIBBLE_ISA {

// Calls lane(i) for each lane and returns what it wrote.
template <typename Vector, typename Lane, int Lanes = 16, typename Function>
inline Vector from_lanes(const Function& lane) {
  Lane values[Lanes];
  for (int i = 0; i < Lanes; ++i) values[i] = lane(i);
  Vector vector;
  static_assert(sizeof(vector) == sizeof(values));
  __builtin_memcpy(&vector, values, sizeof(vector));
  return vector;
}
template <typename Lane, typename Vector>
inline Lane lane_of(const Vector& vector, int i) {
  Lane value;
  __builtin_memcpy(&value,
                   reinterpret_cast<const char*>(&vector) + sizeof(Lane) * static_cast<size_t>(i),
                   sizeof(value));
  return value;
}

inline simde__m512 _mm512_maskz_loadu_ps(__mmask16 mask, const float* p) {
  return from_lanes<simde__m512, float>([&](int i) { return mask >> i & 1 ? p[i] : 0.0f; });
}
inline void _mm512_mask_storeu_ps(float* p, __mmask16 mask, simde__m512 v) {
  for (int i = 0; i < 16; ++i)
    if (mask >> i & 1) p[i] = lane_of<float>(v, i);
}
inline simde__m256i _mm256_maskz_loadu_epi16(__mmask16 mask, const void* p) {
  return from_lanes<simde__m256i, uint16_t>([&](int i) -> uint16_t {
    return mask >> i & 1 ? lane_of<uint16_t>(*static_cast<const char*>(p), i) : uint16_t{0};
  });
}
inline simde__m512i _mm512_cvtepu8_epi32(simde__m128i v) {
  return from_lanes<simde__m512i, int32_t>([&](int i) { return lane_of<uint8_t>(v, i); });
}
inline simde__m512i _mm512_cvtepu16_epi32(simde__m256i v) {
  return from_lanes<simde__m512i, int32_t>([&](int i) { return lane_of<uint16_t>(v, i); });
}
inline simde__m256i _mm512_cvtepi32_epi16(simde__m512i v) {
  return from_lanes<simde__m256i, uint16_t>(
      [&](int i) { return static_cast<uint16_t>(lane_of<int32_t>(v, i)); });
}
inline simde__m512 _mm512_cvtepi32_ps(simde__m512i v) {
  return from_lanes<simde__m512, float>(
      [&](int i) { return static_cast<float>(lane_of<int32_t>(v, i)); });
}
inline simde__m512i _mm512_cvtps_epi32(simde__m512 v) {
  return from_lanes<simde__m512i, int32_t>(
      [&](int i) { return static_cast<int32_t>(__builtin_nearbyintf(lane_of<float>(v, i))); });
}
inline simde__m256i _mm512_cvtps_ph(simde__m512 v, int) {
  simde__m256 half;
  simde__m128i parts[2];
  for (int i = 0; i < 2; ++i) {
    __builtin_memcpy(&half, reinterpret_cast<const char*>(&v) + 32 * i, sizeof(half));
    parts[i] = simde_mm256_cvtps_ph(half, SIMDE_MM_FROUND_TO_NEAREST_INT);
  }
  simde__m256i both;
  __builtin_memcpy(&both, parts, sizeof(both));
  return both;
}
inline simde__m512 _mm512_cvtph_ps(simde__m256i v) {
  simde__m128i half;
  simde__m256 parts[2];
  for (int i = 0; i < 2; ++i) {
    __builtin_memcpy(&half, reinterpret_cast<const char*>(&v) + 16 * i, sizeof(half));
    parts[i] = simde_mm256_cvtph_ps(half);
  }
  return from_lanes<simde__m512, float>([&](int i) { return lane_of<float>(parts[i / 8], i % 8); });
}

inline simde__m512i _mm512_cvtepi8_epi32(simde__m128i v) {
  return from_lanes<simde__m512i, int32_t>([&](int i) { return lane_of<int8_t>(v, i); });
}
inline simde__m128i _mm512_cvtepi32_epi8(simde__m512i v) {
  return from_lanes<simde__m128i, int8_t>(
      [&](int i) { return static_cast<int8_t>(lane_of<int32_t>(v, i)); });
}
inline simde__m512i _mm512_cvtepu8_epi16(simde__m256i v) {
  return from_lanes<simde__m512i, uint16_t, 32>([&](int i) { return lane_of<uint8_t>(v, i); });
}
inline simde__m256i _mm512_cvtepi16_epi8(simde__m512i v) {
  return from_lanes<simde__m256i, uint8_t, 32>(
      [&](int i) { return static_cast<uint8_t>(lane_of<uint16_t>(v, i)); });
}
inline simde__m512i _mm512_cvtepu16_epi64(simde__m128i v) {
  return from_lanes<simde__m512i, uint64_t, 8>([&](int i) { return lane_of<uint16_t>(v, i); });
}
inline simde__m512i _mm512_mulhrs_epi16(simde__m512i a, simde__m512i b) {
  return from_lanes<simde__m512i, int16_t, 32>([&](int i) {
    const int product = lane_of<int16_t>(a, i) * lane_of<int16_t>(b, i);
    return static_cast<int16_t>((product + (1 << 14)) >> 15);
  });
}
inline float _mm512_reduce_max_ps(simde__m512 v) {
  float top = lane_of<float>(v, 0);
  for (int i = 1; i < 16; ++i) top = lane_of<float>(v, i) > top ? lane_of<float>(v, i) : top;
  return top;
}
inline int32_t _mm512_reduce_add_epi32(simde__m512i v) {
  int32_t sum = 0;
  for (int i = 0; i < 16; ++i) sum += lane_of<int32_t>(v, i);
  return sum;
}

}  // namespace nibble::NIBBLE_ISA
