// A panel as bfloat16 tiles: [blocks][16 pairs of columns][16 rows][2].
#include "kernels/amx/panel_lines.h"
#include "kernels/amx/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

// Column J of a step (16 rows of 4 codes) as float bits. Codes below 128 go into the fraction of
// 128, which `line` takes away again: no conversion.
template <int J, bool Wide>
inline __m512 values(__m512i step, Line line) {
  if constexpr (Wide) {
    const __m512i code = _mm512_and_si512(_mm512_srli_epi32(step, 8 * J), _mm512_set1_epi32(255));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(code), line.scale, line.low);
  } else {
    const __m512i moved = J < 2    ? _mm512_slli_epi32(step, J < 2 ? 16 - 8 * J : 0)
                          : J == 3 ? _mm512_srli_epi32(step, 8)
                                   : step;
    const __m512i code = _mm512_ternarylogic_epi32(moved, _mm512_set1_epi32(0x7F0000),
                                                   _mm512_set1_epi32(0x43000000), 0xEA);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(code), line.scale, line.low);
  }
}

// Two columns as pairs of bfloat16, nearest, ties away from zero.
inline __m512i pair(__m512 first, __m512 second) {
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i a = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(first), half), 16);
  const __m512i b = _mm512_add_epi32(_mm512_castps_si512(second), half);
  return _mm512_ternarylogic_epi32(a, b, _mm512_set1_epi32(static_cast<int>(0xFFFF0000)), 0xF8);
}

template <bool Wide>
inline void write(__m512i step, Line line, uint16_t* out) {
  _mm512_storeu_si512(out, (pair(values<0, Wide>(step, line), values<1, Wide>(step, line))));
  _mm512_storeu_si512(out + 32, (pair(values<2, Wide>(step, line), values<3, Wide>(step, line))));
}

// The offset, and what values() adds to narrow codes, as part of the low.
template <int Offset, bool Wide>
inline Line line(Line of_codes) {
  constexpr float kStart = static_cast<float>(Wide ? Offset : Offset + 128);
  return {of_codes.scale, _mm512_fnmadd_ps(of_codes.scale, _mm512_set1_ps(kStart), of_codes.low)};
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void expand(const PanelRows* w, size_t panel, uint16_t* out) {
  constexpr size_t kCodes = kBlockBytes<Bits>;
  constexpr bool kWide = Bits == 8 || Table;
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  for (size_t u = 0; u < w->units; ++u) {
    const uint8_t* codes = unit + header_bytes(Scales);
    for (size_t b = 0; b < blocks; ++b, codes += kCodes, out += kTileValues) {
      __m512i steps[8];
      unpack<Bits, Table>(codes, steps);
      Line first, second;
      lines<Scales>(unit, b, &first, &second);
      first = line<Offset, kWide>(first);
      if constexpr (by_halves(Scales)) second = line<Offset, kWide>(second);
      for (int k = 0; k < 8; ++k)
        write<kWide>(steps[k], by_halves(Scales) && k >= 4 ? second : first, out + 64 * k);
    }
    unit = codes;
  }
}

}  // namespace

const ExpandPanel expand_panel[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) expand<bits, table, scales, offset>,
#include "kernels/panels.def"
#undef PANEL
};

}  // namespace nibble::NIBBLE_ISA
