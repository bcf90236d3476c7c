// A panel as a dense operand of the large product: codes as bytes, one scale for each block of 32
// and row. Scales of half blocks are rounded into the codes, which then use the whole byte.
#include "kernels/neon/panel_codes.h"
#include "kernels/neon/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

// Where each row's table starts in a table of four rows, in the four bytes of its codes.
inline uint8x16_t row_starts() {
  const uint8_t starts[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  return vld1q_u8(starts);
}
// The factors of two rows, each in the four 16-bit lanes of its codes.
inline int16x8_t spread(int32x4_t factor, uint8_t first_byte) {
  const uint8_t low_halves[16] = {0, 1, 0, 1, 0, 1, 0, 1, 4, 5, 4, 5, 4, 5, 4, 5};
  const uint8x16_t index = vaddq_u8(vld1q_u8(low_halves), vdupq_n_u8(first_byte));
  return vreinterpretq_s16_u8(vqtbl1q_u8(vreinterpretq_u8_s32(factor), index));
}

// round((code − Offset) · factor) + 128 for two rows of four codes, factor in 2^(Shift − 15)ths.
template <int Offset, int Shift>
inline uint8x8_t rescaled_pair(uint8x8_t codes, int16x8_t factor) {
  const int16x8_t wide = vreinterpretq_s16_u16(vmovl_u8(codes));
  const int16x8_t code = vshlq_n_s16(vsubq_s16(wide, vdupq_n_s16(Offset)), Shift);
  // The product is a·b / 2^15, rounded: the code takes Shift of the bits.
  return vqmovun_s16(vaddq_s16(vqrdmulhq_s16(code, factor), vdupq_n_s16(128)));
}
template <int Offset, int Shift>
inline uint8x16_t rescaled(uint8x16_t codes, int16x8_t factor_low, int16x8_t factor_high) {
  const uint8x8_t low = rescaled_pair<Offset, Shift>(vget_low_u8(codes), factor_low);
  const uint8x8_t high = rescaled_pair<Offset, Shift>(vget_high_u8(codes), factor_high);
  return vcombine_u8(low, high);
}

// Half blocks with scales d·s[0], d·s[1], s small integers: codes grow until the larger half fills
// a byte. Returns the scale of the new codes.
template <int Offset>
inline float32x4_t merge_halves(uint8x16_t* steps, float32x4_t d, const float32x4_t* s) {
  constexpr float kLargest = Offset;          // of |code − Offset|
  constexpr int kShift = Offset > 8 ? 2 : 5;  // 127 / kLargest in 2^(kShift − 15)ths fits 16 bits
  constexpr float kOne = 1 << (15 - kShift);
  static_assert(127 / kLargest * kOne < 32768 && kLargest * (1 << kShift) <= 32768);
  const float32x4_t top = vmaxq_f32(vmaxq_f32(vabsq_f32(s[0]), vabsq_f32(s[1])), vdupq_n_f32(1));
  const float32x4_t grow = vdivq_f32(vdupq_n_f32(127 / kLargest), top);
  for (int half = 0; half < 2; ++half) {
    const int32x4_t factor = vcvtnq_s32_f32(vmulq_f32(s[half], vmulq_n_f32(grow, kOne)));
    const int16x8_t low = spread(factor, 0), high = spread(factor, 8);
    for (int k = 4 * half; k < 4 * half + 4; ++k)
      steps[k] = rescaled<Offset, kShift>(steps[k], low, high);
  }
  return vdivq_f32(d, grow);
}

// Two-bit codes with a scale and a low for each half block: every weight is one of four bytes, and
// those of four rows are one table.
inline float32x4_t merge_lows(uint8x16_t* steps, float32x4_t d, float32x4_t m,
                              const panel::BlockScales& scales) {
  float32x4_t step[2], low[2], top = vdupq_n_f32(1e-30f);
  for (int half = 0; half < 2; ++half) {
    step[half] = vmulq_f32(d, scales.scale[half]);
    low[half] = vmulq_f32(m, scales.low[half]);
    const float32x4_t last = vsubq_f32(vmulq_n_f32(step[half], 3), low[half]);
    top = vmaxq_f32(top, vmaxq_f32(vabsq_f32(low[half]), vabsq_f32(last)));
  }
  const float32x4_t grow = vdivq_f32(vdupq_n_f32(127), top);
  for (int half = 0; half < 2; ++half) {
    uint32x4_t table = vdupq_n_u32(0);
    for (int code = 3; code >= 0; --code) {
      const float32x4_t value =
          vsubq_f32(vmulq_n_f32(step[half], static_cast<float>(code)), low[half]);
      const int32x4_t byte = vaddq_s32(vcvtnq_s32_f32(vmulq_f32(value, grow)), vdupq_n_s32(128));
      table = vorrq_u32(vshlq_n_u32(table, 8), vreinterpretq_u32_s32(byte));
    }
    for (int k = 4 * half; k < 4 * half + 4; ++k)
      steps[k] = vqtbl1q_u8(vreinterpretq_u8_u32(table), vaddq_u8(steps[k], row_starts()));
  }
  return vdivq_f32(vdupq_n_f32(1), grow);
}

// Rows 4q … 4q + 3 of one block.
template <int Bits, bool Table, PanelScales Scales, int Offset>
void expand_quarter(const uint8_t* unit, const uint8_t* from, size_t b, int q, uint8_t* codes,
                    float* scales, float* lows) {
  uint8x16_t steps[8];
  panel::unpack<Bits, Table>(from + 16 * q, steps);
  if constexpr (panel::kCentred<Bits, Table>)
    for (uint8x16_t& step : steps) step = panel::centre(step);
  const float32x4_t d = panel::halves(unit + 8 * q);
  const auto of_block = panel::block_scales<Scales>(unit + 4 * q, b);
  float32x4_t scale = d;
  [[maybe_unused]] float32x4_t low = vdupq_n_f32(0);
  [[maybe_unused]] const uint8_t* second = unit + 32 + 8 * q;
  if constexpr (Scales == kGroupZero) low = vmulq_f32(d, vmulq_n_f32(panel::halves(second), -1));
  if constexpr (Scales == kGroupMin) low = panel::halves(second);
  if constexpr (Scales == kSuper32 || Scales == kSuper32Min)
    scale = vmulq_f32(d, of_block.scale[0]);
  if constexpr (Scales == kSuper32Min)
    low = vmulq_f32(vmulq_n_f32(panel::halves(second), -1), of_block.low[0]);
  if constexpr (Scales == kSuper16) scale = merge_halves<Offset>(steps, d, of_block.scale);
  if constexpr (Scales == kSuper16Min)
    scale = merge_lows(steps, d, panel::halves(second), of_block);
  for (int k = 0; k < 8; ++k) vst1q_u8(codes + 64 * k + 16 * q, steps[k]);
  vst1q_f32(scales + 4 * q, scale);
  if constexpr (dense_form(Bits, Table, Scales, Offset).has_lows) vst1q_f32(lows + 4 * q, low);
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void expand(const PanelRows* w, size_t panel, uint8_t* codes, float* scales, float* lows) {
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  for (size_t u = 0; u < w->units; ++u) {
    const uint8_t* from = unit + header_bytes(Scales);
    for (size_t b = 0; b < blocks; ++b, from += panel::kBlockBytes<Bits>) {
      for (int q = 0; q < panel::kQuarters; ++q)
        expand_quarter<Bits, Table, Scales, Offset>(unit, from, b, q, codes, scales, lows);
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
