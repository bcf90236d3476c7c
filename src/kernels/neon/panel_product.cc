// Few rows against panels: the codes are read and unpacked once for up to eight rows, a quarter of
// a block at a time. A row of x enters lane by lane, four of its bytes in each.
#include "kernels/neon/panel_codes.h"
#include "kernels/neon/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

using panel::kQuarters;

struct Column {
  const int8_t* codes;
  const float* scales;
  const int32_t* sums;
};

// `sum` + Σ code·x over the four steps of half a block.
inline int32x4_t half_dot(int32x4_t sum, const uint8x16_t* steps, int8x16_t x) {
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[0]), x, 0);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[1]), x, 1);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[2]), x, 2);
  return vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[3]), x, 3);
}

// What one block and quarter adds to the sums of one column. Offset: what unpacking left of it.
template <PanelScales Scales, int Offset>
inline void add_block(const uint8x16_t* steps, const panel::BlockScales& scales, const Column& x,
                      size_t block, float32x4_t* sum, float32x4_t* low) {
  const int8_t* codes = x.codes + block * kBlockColumns;
  const int8x16_t x0 = vld1q_s8(codes), x1 = vld1q_s8(codes + 16);
  const float step = x.scales[block];
  const int32_t s0 = x.sums[2 * block], s1 = x.sums[2 * block + 1];
  if constexpr (Scales == kSuper16 || Scales == kSuper16Min) {
    const int32x4_t first = half_dot(vdupq_n_s32(-Offset * s0), steps, x0);
    const int32x4_t second = half_dot(vdupq_n_s32(-Offset * s1), steps + 4, x1);
    float32x4_t both = vmulq_f32(vcvtq_f32_s32(first), scales.scale[0]);
    both = vfmaq_f32(both, vcvtq_f32_s32(second), scales.scale[1]);
    *sum = vfmaq_n_f32(*sum, both, step);
    if constexpr (Scales == kSuper16Min) {
      float32x4_t lows = vmulq_n_f32(scales.low[0], static_cast<float>(s0));
      lows = vfmaq_n_f32(lows, scales.low[1], static_cast<float>(s1));
      *low = vfmaq_n_f32(*low, lows, step);
    }
  } else {
    const int32x4_t first = half_dot(vdupq_n_s32(-Offset * (s0 + s1)), steps, x0);
    float32x4_t value = vcvtq_f32_s32(half_dot(first, steps + 4, x1));
    if constexpr (Scales >= kSuper32) value = vmulq_f32(value, scales.scale[0]);
    *sum = vfmaq_n_f32(*sum, value, step);
    if constexpr (Scales == kSuper32Min)
      *low = vfmaq_n_f32(*low, scales.low[0], static_cast<float>(s0 + s1) * step);
  }
}

template <int Bits, bool Table, PanelScales Scales, int Offset, int Columns>
void columns(const PanelRows* w, size_t panel, const Column* x, float32x4_t (*total)[Columns]) {
  constexpr size_t kCodes = panel::kBlockBytes<Bits>;
  constexpr int kOffset = panel::kCentred<Bits, Table> ? 0 : Offset;
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  size_t block = 0;
  for (size_t u = 0; u < w->units; ++u) {
    const uint8_t* codes = unit + header_bytes(Scales);
    float32x4_t sum[kQuarters][Columns], low[kQuarters][Columns];
    float inputs[Columns] = {};  // Σ x of the unit: what a zero or a low of the group multiplies
    for (int q = 0; q < kQuarters; ++q)
      for (int c = 0; c < Columns; ++c) sum[q][c] = low[q][c] = vdupq_n_f32(0);
    for (size_t b = 0; b < blocks; ++b, ++block, codes += kCodes) {
      // Unrolled, GCC mixes the quarters until their vectors no longer fit into the registers.
#pragma GCC unroll 1
      for (int q = 0; q < kQuarters; ++q) {
        uint8x16_t steps[8];
        panel::unpack<Bits, Table>(codes + 16 * q, steps);
        const auto scales = panel::block_scales<Scales>(unit + 4 * q, b);
        for (int c = 0; c < Columns; ++c)
          add_block<Scales, kOffset>(steps, scales, x[c], block, &sum[q][c], &low[q][c]);
      }
      if constexpr (Scales == kGroupZero || Scales == kGroupMin)
        for (int c = 0; c < Columns; ++c)
          inputs[c] += static_cast<float>(x[c].sums[2 * block] + x[c].sums[2 * block + 1]) *
                       x[c].scales[block];
    }
    for (int q = 0; q < kQuarters; ++q) {
      const float32x4_t scale = panel::halves(unit + 8 * q);
      [[maybe_unused]] const uint8_t* second = unit + 32 + 8 * q;
      for (int c = 0; c < Columns; ++c) {
        if constexpr (Scales == kGroupZero)
          sum[q][c] = vfmaq_n_f32(sum[q][c], panel::halves(second), -inputs[c]);
        total[q][c] = vfmaq_f32(total[q][c], sum[q][c], scale);
        if constexpr (Scales == kGroupMin)
          total[q][c] = vfmaq_n_f32(total[q][c], panel::halves(second), inputs[c]);
        if constexpr (Scales == kSuper32Min || Scales == kSuper16Min)
          total[q][c] = vfmsq_f32(total[q][c], low[q][c], panel::halves(second));
      }
    }
    unit = codes;
  }
}

template <int Bits, bool Table, PanelScales Scales, int Offset, int Columns>
void rows_at_once(const PanelRows* w, size_t panel, const ByteRows* x, size_t first, size_t rows,
                  float* y, size_t stride) {
  Column column[Columns];
  for (size_t c = 0; c < Columns; ++c) {
    const size_t row = first + (c < rows ? c : rows - 1);  // the last again where there are fewer
    column[c] = {x->codes + row * x->blocks * kBlockColumns, x->scales + row * x->blocks,
                 x->sums + row * x->blocks * 2};
  }
  float32x4_t total[kQuarters][Columns];
  for (int q = 0; q < kQuarters; ++q)
    for (int c = 0; c < Columns; ++c) total[q][c] = vdupq_n_f32(0);
  columns<Bits, Table, Scales, Offset, Columns>(w, panel, column, total);
  for (size_t c = 0; c < Columns && c < rows; ++c)
    for (int q = 0; q < kQuarters; ++q) vst1q_f32(y + (first + c) * stride + 4 * q, total[q][c]);
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void product(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t rows,
             float* y, size_t stride) {
  for (size_t p = first; p < first + count; ++p) {
    float* out = y + p * kPanelRows;
    for (size_t row = 0; row < rows;) {
      // A column more costs about as much as unpacking again: five or six are four and the rest.
      const size_t left = rows - row, taken = left >= 7 ? 8 : left >= 3 ? 4 : left;
      if (taken == 1)
        rows_at_once<Bits, Table, Scales, Offset, 1>(w, p, x, row, left, out, stride);
      else if (taken == 2)
        rows_at_once<Bits, Table, Scales, Offset, 2>(w, p, x, row, left, out, stride);
      else if (taken == 4)
        rows_at_once<Bits, Table, Scales, Offset, 4>(w, p, x, row, left, out, stride);
      else
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
