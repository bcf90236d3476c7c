// Codes of a block for a quarter of a panel (four rows fill a vector), step by step, and the scales
// of a unit.
#pragma once

#include "kernels/neon/intrinsics.h"
#include "kernels/panel_types.h"

namespace nibble::NIBBLE_ISA {
namespace panel {

constexpr int kQuarters = 4;

template <int Left>
inline uint8x16_t shifted(uint8x16_t v) {
  if constexpr (Left > 0) return vshlq_n_u8(v, Left);
  if constexpr (Left < 0) return vshrq_n_u8(v, -Left);
  return v;
}

// `step` with the bits of Mask taken from the plane.
template <int Mask, int Left>
inline uint8x16_t with_bits(uint8x16_t step, uint8x16_t plane) {
  return vbslq_u8(vdupq_n_u8(Mask), shifted<Left>(plane), step);
}

// A plane of two bits for each step goes on top of the steps' low Bit bits.
template <int Bit, int Half = 0>
inline void add_crumbs(uint8x16_t even, uint8x16_t odd, uint8x16_t* steps) {
  steps[2 * Half] = with_bits<3 << Bit, Bit - 2 * Half>(steps[2 * Half], even);
  steps[2 * Half + 1] = with_bits<3 << Bit, Bit - 2 * Half>(steps[2 * Half + 1], odd);
  if constexpr (Half < 3) add_crumbs<Bit, Half + 1>(even, odd, steps);
}

// The same with one bit for each step.
template <int Bit, int Step = 0>
inline void add_singles(uint8x16_t plane, uint8x16_t* steps) {
  steps[Step] = with_bits<1 << Bit, Bit - Step>(steps[Step], plane);
  if constexpr (Step < 7) add_singles<Bit, Step + 1>(plane, steps);
}

template <int Bits>
inline constexpr size_t kBlockBytes = 64 * static_cast<size_t>(Bits);

// The dot product wants signed bytes. Codes of fewer than eight bits are such as they are; for the
// others `unpack` gives code − 128, and their products need no offset.
template <int Bits, bool Table>
inline constexpr bool kCentred = Bits == 8 || Table;

inline uint8x16_t centre(uint8x16_t codes) { return veorq_u8(codes, vdupq_n_u8(128)); }

// The eight steps of one block; p is moved by 16 bytes for each quarter.
template <int Bits, bool Table>
inline void unpack(const uint8_t* p, uint8x16_t* steps) {
  if constexpr (Bits == 8) {
    for (int k = 0; k < 8; ++k) steps[k] = centre(vld1q_u8(p + 64 * k));
  } else if constexpr (Bits >= 4) {
    for (int k = 0; k < 4; ++k) {
      const uint8x16_t both = vld1q_u8(p + 64 * k);
      steps[k] = vandq_u8(both, vdupq_n_u8(15));
      steps[k + 4] = vshrq_n_u8(both, 4);
    }
    if constexpr (Table) {
      const uint8x16_t levels = vreinterpretq_u8_s8(vld1q_s8(kIv4));
      for (int k = 0; k < 8; ++k) steps[k] = vqtbl1q_u8(levels, steps[k]);
    }
    if constexpr (Bits == 5) add_singles<4>(vld1q_u8(p + 256), steps);
    if constexpr (Bits == 6) add_crumbs<4>(vld1q_u8(p + 256), vld1q_u8(p + 320), steps);
  } else {
    const uint8x16_t even = vld1q_u8(p), odd = vld1q_u8(p + 64), three = vdupq_n_u8(3);
    steps[0] = vandq_u8(even, three);
    steps[1] = vandq_u8(odd, three);
    steps[2] = vandq_u8(vshrq_n_u8(even, 2), three);
    steps[3] = vandq_u8(vshrq_n_u8(odd, 2), three);
    steps[4] = vandq_u8(vshrq_n_u8(even, 4), three);
    steps[5] = vandq_u8(vshrq_n_u8(odd, 4), three);
    steps[6] = vshrq_n_u8(even, 6);
    steps[7] = vshrq_n_u8(odd, 6);
    if constexpr (Bits == 3) add_singles<2>(vld1q_u8(p + 128), steps);
  }
}

// Four numbers, one for each row, as floats. Headers have no alignment of their own.
inline float32x4_t halves(const uint8_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vreinterpret_u16_u8(vld1_u8(p))));
}
inline uint16x4_t four_bytes(const uint8_t* p) {
  uint32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word))));
}
inline float32x4_t to_float(uint16x4_t v) { return vcvtq_f32_u32(vmovl_u16(v)); }
inline float32x4_t unsigned_bytes(const uint8_t* p) { return to_float(four_bytes(p)); }
inline float32x4_t signed_bytes(const uint8_t* p) {
  uint32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(word)));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}
inline float32x4_t low_nibbles(const uint8_t* p) {
  return to_float(vand_u16(four_bytes(p), vdup_n_u16(15)));
}
inline float32x4_t high_nibbles(const uint8_t* p) { return to_float(vshr_n_u16(four_bytes(p), 4)); }

// What the codes of one block and quarter are multiplied with, in units of the header's halves;
// the second of each pair is for the second half block.
struct BlockScales {
  float32x4_t scale[2], low[2];
};

// `header`: the unit's first byte, moved by four for each quarter.
template <PanelScales Scales>
inline BlockScales block_scales(const uint8_t* header, size_t block) {
  BlockScales found = {};
  if constexpr (Scales == kSuper32) found.scale[0] = signed_bytes(header + 32 + 16 * block);
  if constexpr (Scales == kSuper32Min) {
    found.scale[0] = unsigned_bytes(header + 64 + 16 * block);
    found.low[0] = unsigned_bytes(header + 64 + 128 + 16 * block);
  }
  if constexpr (Scales == kSuper16 || Scales == kSuper16Min)
    for (size_t half = 0; half < 2; ++half) {
      const size_t at = 32 * block + 16 * half;
      if constexpr (Scales == kSuper16) {
        found.scale[half] = signed_bytes(header + 32 + at);
      } else {
        found.scale[half] = low_nibbles(header + 64 + at);
        found.low[half] = high_nibbles(header + 64 + at);
      }
    }
  return found;
}

}  // namespace panel
}  // namespace nibble::NIBBLE_ISA
