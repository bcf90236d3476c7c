// The large integer product: one dense panel times tiles of four rows of x. Sixteen sums of bytes
// stay in registers; the sums of floats are touched once for each block.
#include "kernels/neon/panel_codes.h"
#include "kernels/neon/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

using panel::kQuarters;
constexpr int kColumns = kGemmColumns;

// Σ code·x of one block on top of what `sum` holds. Bytes: 128 is taken off the codes.
template <bool Bytes>
inline void block_sums(const uint8_t* codes, const int8_t* in, int32x4_t (*sum)[kColumns]) {
  // Unrolled, GCC loads ahead until the sums no longer fit into the registers.
#pragma GCC unroll 1
  for (int k = 0; k < 8; ++k) {
    const int8x16_t x = vld1q_s8(in + 16 * k);
    for (int q = 0; q < kQuarters; ++q) {
      const uint8x16_t stored = vld1q_u8(codes + 64 * k + 16 * q);
      const int8x16_t w = vreinterpretq_s8_u8(Bytes ? panel::centre(stored) : stored);
      sum[q][0] = vdotq_laneq_s32(sum[q][0], w, x, 0);
      sum[q][1] = vdotq_laneq_s32(sum[q][1], w, x, 1);
      sum[q][2] = vdotq_laneq_s32(sum[q][2], w, x, 2);
      sum[q][3] = vdotq_laneq_s32(sum[q][3], w, x, 3);
    }
  }
}

template <bool Bytes, bool Lows>
void tile(const DensePanels* w, size_t panel, const ByteTiles* x, size_t tile_index,
          float32x4_t (*total)[kColumns]) {
  const size_t blocks = w->blocks, side = tile_index * blocks * kColumns;
  const int8_t* in = x->codes + side * kBlockColumns;
  const float* in_scales = x->scales + side;
  const int32_t* starts = x->starts + side;
  const float* in_sums = x->sums + side;
  const uint8_t* codes = w->codes + panel * blocks * 512;
  const float* scales = w->scales + panel * blocks * kPanelRows;
  const float* lows = Lows ? w->lows + panel * blocks * kPanelRows : nullptr;
  for (int q = 0; q < kQuarters; ++q)
    for (int c = 0; c < kColumns; ++c) total[q][c] = vdupq_n_f32(0);
  for (size_t b = 0; b < blocks; ++b) {
    int32x4_t sum[kQuarters][kColumns];
    for (int q = 0; q < kQuarters; ++q)
      for (int c = 0; c < kColumns; ++c) sum[q][c] = vdupq_n_s32(Bytes ? 0 : starts[c]);
    block_sums<Bytes>(codes, in, sum);
    for (int q = 0; q < kQuarters; ++q) {
      const float32x4_t scale = vld1q_f32(scales + 4 * q);
      for (int c = 0; c < kColumns; ++c)
        total[q][c] =
            vfmaq_n_f32(total[q][c], vmulq_f32(vcvtq_f32_s32(sum[q][c]), scale), in_scales[c]);
      if constexpr (Lows) {
        const float32x4_t low = vld1q_f32(lows + 4 * q);
        for (int c = 0; c < kColumns; ++c) total[q][c] = vfmaq_n_f32(total[q][c], low, in_sums[c]);
      }
    }
    in += kBlockColumns * kColumns;
    codes += 512;
    scales += kPanelRows;
    if constexpr (Lows) lows += kPanelRows;
    in_scales += kColumns;
    starts += kColumns;
    in_sums += kColumns;
  }
}

template <bool Bytes, bool Lows>
void gemm(const DensePanels* w, size_t panels, const ByteTiles* x, size_t first_tile, size_t tiles,
          size_t rows, float* y, size_t stride) {
  for (size_t p = 0; p < panels; ++p)
    for (size_t t = first_tile; t < first_tile + tiles; ++t) {
      float32x4_t total[kQuarters][kColumns];
      tile<Bytes, Lows>(w, p, x, t, total);
      for (size_t c = 0; c < kColumns && t * kColumns + c < rows; ++c)
        for (int q = 0; q < kQuarters; ++q)
          vst1q_f32(y + (t * kColumns + c) * stride + p * kPanelRows + 4 * q, total[q][c]);
    }
}

}  // namespace

void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride) {
  const auto run = form.bits == 8 ? (form.has_lows ? gemm<true, true> : gemm<true, false>)
                                  : (form.has_lows ? gemm<false, true> : gemm<false, false>);
  run(w, panels, x, first_tile, tiles, rows, y, stride);
}

void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums) {
  for (size_t b = 0; b < blocks; ++b) {
    float32x4_t top = vdupq_n_f32(0);
    for (int i = 0; i < 8; ++i) top = vmaxq_f32(top, vabsq_f32(vld1q_f32(x + 4 * i)));
    const float largest = vmaxvq_f32(top);
    scales[b] = largest / 127;
    const float inverse = largest > 0 ? 127 / largest : 0;
    for (int half = 0; half < 2; ++half, x += 16, codes += 16, ++sums) {
      int16x4_t words[4];
      for (int i = 0; i < 4; ++i)
        words[i] = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), inverse)));
      const int8x16_t bytes = vcombine_s8(vqmovn_s16(vcombine_s16(words[0], words[1])),
                                          vqmovn_s16(vcombine_s16(words[2], words[3])));
      vst1q_s8(codes, bytes);
      *sums = vaddlvq_s8(bytes);
    }
  }
}

size_t spin_int8(size_t rounds) {
  constexpr int kSums = 16;
  int32x4_t sum[kSums];
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(1);
  for (int32x4_t& one : sum) one = vdupq_n_s32(0);
  for (size_t i = 0; i < rounds; ++i) {
    NIBBLE_OPAQUE(a);
    NIBBLE_OPAQUE(b);
    for (int32x4_t& one : sum) one = vdotq_s32(one, a, b);
  }
  for (int i = 1; i < kSums; ++i) sum[0] = vaddq_s32(sum[0], sum[i]);
  volatile int32_t kept = vaddvq_s32(sum[0]);
  (void)kept;
  return rounds * kSums * 16;
}

}  // namespace nibble::NIBBLE_ISA
