// Codes of a block, step by step, and the scales of a unit, for as many of a panel's rows as fill
// a vector: a part of the panel. Pointers are moved to the part's first row.
#pragma once

#include "kernels/vector/entries.h"

namespace nibble::NIBBLE_ISA {

inline constexpr size_t kParts = kPanelRows / kLanes;

// Where a part begins in an array over the panel's rows.
inline constexpr size_t kPartCodes = 4 * kLanes, kPartHalves = 2 * kLanes, kPartBytes = kLanes;

template <int Bits>
inline constexpr size_t kBlockBytes = 64 * static_cast<size_t>(Bits);

// Whether `unpack` gives code − 128, whose products need no offset.
template <int Bits, bool Table>
inline constexpr bool kCentred = kSignedCodes && (Bits == 8 || Table);

// `steps` with a plane of two bits for each step on top of their low Bit bits.
template <int Bit, int Half = 0>
inline void add_crumbs(Codes even, Codes odd, Codes* steps) {
  steps[2 * Half] = with_bits<3 << Bit, Bit - 2 * Half>(steps[2 * Half], even);
  steps[2 * Half + 1] = with_bits<3 << Bit, Bit - 2 * Half>(steps[2 * Half + 1], odd);
  if constexpr (Half < 3) add_crumbs<Bit, Half + 1>(even, odd, steps);
}
// The same with one bit for each step.
template <int Bit, int Step = 0>
inline void add_singles(Codes plane, Codes* steps) {
  steps[Step] = with_bits<1 << Bit, Bit - Step>(steps[Step], plane);
  if constexpr (Step < 7) add_singles<Bit, Step + 1>(plane, steps);
}
// Steps of two bits.
template <int Half = 0>
inline void crumbs(Codes even, Codes odd, Codes* steps) {
  steps[2 * Half] = bits_of<3, -2 * Half>(even);
  steps[2 * Half + 1] = bits_of<3, -2 * Half>(odd);
  if constexpr (Half < 3) crumbs<Half + 1>(even, odd, steps);
}

// The eight steps of one block.
template <int Bits, bool Table>
inline void unpack(const uint8_t* p, Codes* steps) {
  if constexpr (Bits == 8) {
    for (int k = 0; k < 8; ++k) {
      const Codes codes = load(p + 64 * k);
      steps[k] = kSignedCodes ? centred(codes) : codes;
    }
  } else if constexpr (Bits >= 4) {
    for (int k = 0; k < 4; ++k) {
      const Codes both = load(p + 64 * k);
      steps[k] = bits_of<15, 0>(both);
      steps[k + 4] = bits_of<15, -4>(both);
    }
    if constexpr (Table)
      for (int k = 0; k < 8; ++k) steps[k] = iv4_levels(steps[k]);
    if constexpr (Bits == 5) add_singles<4>(load(p + 256), steps);
    if constexpr (Bits == 6) add_crumbs<4>(load(p + 256), load(p + 320), steps);
  } else {
    crumbs(load(p), load(p + 64), steps);
    if constexpr (Bits == 3) add_singles<2>(load(p + 128), steps);
  }
}

// What the codes of one block are multiplied with, in units of the header's halves; the second of
// each pair is for the second half block.
struct BlockScales {
  Floats scale[2], low[2];
};

// `header`: the unit's first byte, moved by kPartBytes for each part.
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

}  // namespace nibble::NIBBLE_ISA
