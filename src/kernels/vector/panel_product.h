// Few rows against panels: the codes are read and unpacked once for up to eight rows. A row of x
// enters by broadcasting four of its bytes; each lane adds up one row of the panel.
#pragma once

#include "kernels/vector/panel_codes.h"

namespace nibble::NIBBLE_ISA {
namespace {

struct Column {
  const int8_t* codes;
  const float* scales;
  const int32_t* sums;
};

inline float input_sum(const Column& x, size_t block) {
  return static_cast<float>(x.sums[2 * block] + x.sums[2 * block + 1]);
}

// What one block of a part adds to the sums of one column.
template <int Bits, PanelScales Scales, int Offset>
inline void add_block(const Codes* steps, const BlockScales& scales, const Column& x, size_t block,
                      Floats* sum, Floats* low) {
  const int8_t* codes = x.codes + block * kBlockColumns;
  const float step = x.scales[block];
  const int32_t s0 = x.sums[2 * block], s1 = x.sums[2 * block + 1];
  if constexpr (Scales == kSuper16 || Scales == kSuper16Min) {
    const Floats first = dot<Bits, Offset, 0, 4>(steps, codes, s0);
    const Floats second = dot<Bits, Offset, 4, 8>(steps, codes, s1);
    const Floats both = plus_product(mul(first, scales.scale[0]), second, scales.scale[1]);
    *sum = plus_product(*sum, both, step);
    if constexpr (Scales == kSuper16Min) {
      Floats lows = mul(scales.low[0], static_cast<float>(s0));
      lows = plus_product(lows, scales.low[1], static_cast<float>(s1));
      *low = plus_product(*low, lows, step);
    }
  } else {
    Floats value = dot<Bits, Offset, 0, 8>(steps, codes, s0 + s1);
    if constexpr (Scales >= kSuper32) value = mul(value, scales.scale[0]);
    *sum = plus_product(*sum, value, step);
    if constexpr (Scales == kSuper32Min)
      *low = plus_product(*low, scales.low[0], static_cast<float>(s0 + s1) * step);
  }
}

// Parts [part, part + kPartsAtOnce) of a panel with `Columns` rows of x.
template <int Bits, bool Table, PanelScales Scales, int Offset, size_t Columns>
void columns(const PanelRows* w, size_t panel, size_t part, const Column* x,
             Floats (*total)[Columns]) {
  constexpr size_t kCodes = kBlockBytes<Bits>;
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  size_t block = 0;
  for (size_t u = 0; u < w->units; ++u) {
    const uint8_t* codes = unit + header_bytes(Scales);
    Floats sum[kPartsAtOnce][Columns], low[kPartsAtOnce][Columns];
    Shared inputs[Columns];  // Σ x of the unit: what a zero or a low of the group multiplies
    for (size_t c = 0; c < Columns; ++c) inputs[c] = shared(0);
    for (size_t p = 0; p < kPartsAtOnce; ++p)
      for (size_t c = 0; c < Columns; ++c) sum[p][c] = low[p][c] = all(0);
    for (size_t b = 0; b < blocks; ++b, ++block, codes += kCodes) {
      if (kAhead != 0 && part == 0)
        for (size_t line = 0; line < kCodes; line += 64) __builtin_prefetch(codes + kAhead + line);
      const auto add_part = [&](size_t p) {
        Codes steps[8];
        unpack<Bits, Table>(codes + (part + p) * kPartCodes, steps);
        const auto scales = block_scales<Scales>(unit + (part + p) * kPartBytes, b);
        for (size_t c = 0; c < Columns; ++c)
          add_block<Table ? 8 : Bits, Scales, Offset>(steps, scales, x[c], block, &sum[p][c],
                                                      &low[p][c]);
      };
      // Unrolled, GCC mixes the parts until their vectors no longer fit into the registers. A loop
      // over one part would keep its sums in memory.
      if constexpr (kPartsAtOnce == 1) {
        add_part(0);
      } else {
#pragma GCC unroll 1
        for (size_t p = 0; p < kPartsAtOnce; ++p) add_part(p);
      }
      if constexpr (Scales == kGroupZero || Scales == kGroupMin)
        for (size_t c = 0; c < Columns; ++c)
          add_to(&inputs[c], input_sum(x[c], block), x[c].scales[block]);
    }
    for (size_t p = 0; p < kPartsAtOnce; ++p) {
      const uint8_t* first = unit + (part + p) * kPartHalves;
      [[maybe_unused]] const uint8_t* second = first + 32;
      const Floats scale = halves(first);
      for (size_t c = 0; c < Columns; ++c) {
        if constexpr (Scales == kGroupZero)
          sum[p][c] = less_product(sum[p][c], halves(second), inputs[c]);
        total[p][c] = plus_product(total[p][c], sum[p][c], scale);
        if constexpr (Scales == kGroupMin)
          total[p][c] = plus_product(total[p][c], halves(second), inputs[c]);
        if constexpr (Scales == kSuper32Min || Scales == kSuper16Min)
          total[p][c] = less_product(total[p][c], low[p][c], halves(second));
      }
    }
    unit += header_bytes(Scales) + blocks * kCodes;
  }
}

template <int Bits, bool Table, PanelScales Scales, int Offset, size_t Columns>
void rows_at_once(const PanelRows* w, size_t panel, const ByteRows* x, size_t first, size_t rows,
                  float* y, size_t stride) {
  Column column[Columns];
  for (size_t c = 0; c < Columns; ++c) {
    const size_t row = first + (c < rows ? c : rows - 1);  // the last again where there are fewer
    column[c] = {x->codes + row * x->blocks * kBlockColumns, x->scales + row * x->blocks,
                 x->sums + row * x->blocks * 2};
  }
  for (size_t part = 0; part < kParts; part += kPartsAtOnce) {
    Floats total[kPartsAtOnce][Columns];
    for (size_t p = 0; p < kPartsAtOnce; ++p)
      for (size_t c = 0; c < Columns; ++c) total[p][c] = all(0);
    columns<Bits, Table, Scales, Offset, Columns>(w, panel, part, column, total);
    for (size_t c = 0; c < Columns && c < rows; ++c)
      for (size_t p = 0; p < kPartsAtOnce; ++p)
        store(y + (first + c) * stride + (part + p) * kLanes, total[p][c]);
  }
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void product(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t rows,
             float* y, size_t stride) {
  for (size_t p = first; p < first + count; ++p) {
    float* out = y + p * kPanelRows;
    for (size_t row = 0; row < rows;) {
      const size_t left = rows - row;
      size_t taken = left >= 3 ? 4 : left;
      if constexpr (kEightFrom != 0)
        if (left >= kEightFrom) taken = 8;
      if (taken == 1)
        rows_at_once<Bits, Table, Scales, Offset, 1>(w, p, x, row, left, out, stride);
      else if (taken == 2)
        rows_at_once<Bits, Table, Scales, Offset, 2>(w, p, x, row, left, out, stride);
      else if (taken == 4)
        rows_at_once<Bits, Table, Scales, Offset, 4>(w, p, x, row, left, out, stride);
      else if constexpr (kEightFrom != 0)
        rows_at_once<Bits, Table, Scales, Offset, 8>(w, p, x, row, left, out, stride);
      row += taken;
    }
  }
}

}  // namespace

#define PANEL(name, bits, table, scales, offset)                                         \
  void product_##name(const PanelRows* w, size_t first, size_t count, const ByteRows* x, \
                      size_t rows, float* y, size_t stride) {                            \
    product<bits, table, scales, offset>(w, first, count, x, rows, y, stride);           \
  }
#include "kernels/panels.def"
#undef PANEL

}  // namespace nibble::NIBBLE_ISA
