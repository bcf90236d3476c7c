// A panel as a dense operand of the large product: codes as bytes, one scale for each block of 32
// and row. Scales of half blocks are rounded into the codes, which then use the whole byte.
#pragma once

#include "kernels/vector/panel_codes.h"

namespace nibble::NIBBLE_ISA {
namespace {

// Half blocks with scales d·s[0], d·s[1], s small integers: codes grow until the larger half fills
// a byte. Returns the scale of the new codes.
template <int Offset>
inline Floats merge_halves(Codes* steps, Floats d, const Floats* s) {
  constexpr float kLargest = Offset;          // of |code − Offset|
  constexpr int kShift = Offset > 8 ? 2 : 5;  // 127 / kLargest in 2^(kShift − 15)ths fits 16 bits
  constexpr float kOne = 1 << (15 - kShift);
  static_assert(127 / kLargest * kOne < 32768 && kLargest * (1 << kShift) <= 32768);
  const Floats top = larger(larger(absolute(s[0]), absolute(s[1])), all(1));
  const Floats grow = div(all(127 / kLargest), top), unit = mul(grow, kOne);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const Factors factors = spread(rounded(mul(s[half], unit)));
    for (int k = 4 * half; k < 4 * half + 4; ++k)
      steps[k] = rescaled<Offset, kShift>(steps[k], factors);
  }
  return div(d, grow);
}

// Two-bit codes with a scale and a low for each half block: every weight is one of four bytes, and
// those of a row are a lane of a table.
inline Floats merge_lows(Codes* steps, Floats d, Floats m, const BlockScales& scales) {
  Floats scale[2], low[2];
  for (int half = 0; half < 2; ++half) {
    scale[half] = mul(d, scales.scale[half]);
    low[half] = mul(m, scales.low[half]);
  }
  Floats top = larger(absolute(low[0]), absolute(low[1]));
  top = larger(top, absolute(product_less(scale[0], 3, low[0])));
  top = larger(top, absolute(product_less(scale[1], 3, low[1])));
  top = larger(top, all(1e-30f));
  const Floats grow = div(all(127), top);
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    Ints table = all_ints(0);
    for (int code = 3; code >= 0; --code) {
      const Floats value = product_less(scale[half], static_cast<float>(code), low[half]);
      const Ints byte = add_ints(rounded(mul(value, grow)), all_ints(128));
      table = or_ints(moved_up<8>(table), byte);
    }
    for (int k = 4 * half; k < 4 * half + 4; ++k) steps[k] = own_bytes(table, steps[k]);
  }
  return div(all(1), grow);
}

// One block of a part; `halves_at` and `header`: the unit's first byte, moved to the part.
template <int Bits, bool Table, PanelScales Scales, int Offset>
[[gnu::always_inline]] inline void expand_part(const uint8_t* halves_at, const uint8_t* header,
                                               size_t block, const uint8_t* from, uint8_t* codes,
                                               float* scales, float* lows) {
  Codes steps[8];
  unpack<Bits, Table>(from, steps);
  if constexpr (kCentred<Bits, Table>)
    for (Codes& step : steps) step = centred(step);
  const Floats d = halves(halves_at);
  const BlockScales of_block = block_scales<Scales>(header, block);
  Floats scale = d;
  [[maybe_unused]] Floats low = all(0);
  [[maybe_unused]] const uint8_t* second = halves_at + 32;
  if constexpr (Scales == kGroupZero) low = mul(d, negated(halves(second)));
  if constexpr (Scales == kGroupMin) low = halves(second);
  if constexpr (Scales == kSuper32 || Scales == kSuper32Min) scale = mul(d, of_block.scale[0]);
  if constexpr (Scales == kSuper32Min) low = mul(negated(halves(second)), of_block.low[0]);
  if constexpr (Scales == kSuper16) scale = merge_halves<Offset>(steps, d, of_block.scale);
  if constexpr (Scales == kSuper16Min) scale = merge_lows(steps, d, halves(second), of_block);
  for (int k = 0; k < 8; ++k) store(codes + 64 * k, steps[k]);
  store(scales, scale);
  if constexpr (dense_form(Bits, Table, Scales, Offset).has_lows) store(lows, low);
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void expand(const PanelRows* w, size_t panel, uint8_t* codes, float* scales, float* lows) {
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  for (size_t u = 0; u < w->units; ++u) {
    const uint8_t* from = unit + header_bytes(Scales);
    for (size_t b = 0; b < blocks; ++b, from += kBlockBytes<Bits>) {
      for (size_t part = 0; part < kParts; ++part)
        expand_part<Bits, Table, Scales, Offset>(
            unit + part * kPartHalves, unit + part * kPartBytes, b, from + part * kPartCodes,
            codes + part * kPartCodes, scales + part * kLanes, lows + part * kLanes);
      codes += 512;
      scales += kPanelRows;
      if constexpr (dense_form(Bits, Table, Scales, Offset).has_lows) lows += kPanelRows;
    }
    unit = from;
  }
}

}  // namespace

#define PANEL(name, bits, table, scales, offset)                                         \
  void product_##name(const PanelRows* w, size_t first, size_t count, const ByteRows* x, \
                      size_t rows, float* y, size_t stride);
#include "kernels/panels.def"
#undef PANEL

const PanelKernels panel_kernels[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) \
  {product_##name, expand<bits, table, scales, offset>},
#include "kernels/panels.def"
#undef PANEL
};

}  // namespace nibble::NIBBLE_ISA
