// The large integer product: dense panels times tiles of six rows of x, two panels at a time.
// Twelve sums of bytes and twelve of floats stay in registers.
#include "kernels/avx512/panel_codes.h"
#include "kernels/avx512/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kColumns = kGemmColumns;

template <int Panels, bool Lows>
void tile(const DensePanels* w, size_t panel, const ByteTiles* x, size_t tile_index,
          __m512 (*total)[kColumns]) {
  const size_t blocks = w->blocks;
  const int8_t* in = x->codes + tile_index * blocks * 32 * kColumns;
  const float* in_scales = x->scales + tile_index * blocks * kColumns;
  const int32_t* starts = x->starts + tile_index * blocks * kColumns;
  const float* in_sums = x->sums + tile_index * blocks * kColumns;
  const uint8_t* codes = w->codes + panel * blocks * 512;
  const float* scales = w->scales + panel * blocks * kPanelRows;
  const float* lows = Lows ? w->lows + panel * blocks * kPanelRows : nullptr;
  for (size_t c = 0; c < kColumns; ++c)
    for (int p = 0; p < Panels; ++p) total[p][c] = _mm512_setzero_ps();
  for (size_t b = 0; b < blocks; ++b) {
    __m512i sum[Panels][kColumns];
    for (size_t c = 0; c < kColumns; ++c) {
      const __m512i start = _mm512_set1_epi32(starts[c]);
      for (int p = 0; p < Panels; ++p) sum[p][c] = start;
    }
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
      __m512i weights[Panels];
      for (int p = 0; p < Panels; ++p)
        weights[p] = panel::load(codes + static_cast<size_t>(p) * blocks * 512 + 64 * k);
      for (size_t c = 0; c < kColumns; ++c) {
        int32_t word;
        __builtin_memcpy(&word, in + 4 * c, sizeof(word));
        const __m512i four = _mm512_set1_epi32(word);
        for (int p = 0; p < Panels; ++p)
          sum[p][c] = _mm512_dpbusd_epi32(sum[p][c], weights[p], four);
      }
      in += 4 * kColumns;
    }
    for (int p = 0; p < Panels; ++p) {
      const __m512 scale = _mm512_loadu_ps(scales + static_cast<size_t>(p) * blocks * kPanelRows);
      for (size_t c = 0; c < kColumns; ++c) {
        const __m512 part = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[p][c]), scale);
        total[p][c] = _mm512_fmadd_ps(part, _mm512_set1_ps(in_scales[c]), total[p][c]);
      }
      if constexpr (Lows) {
        const __m512 low = _mm512_loadu_ps(lows + static_cast<size_t>(p) * blocks * kPanelRows);
        for (size_t c = 0; c < kColumns; ++c)
          total[p][c] = _mm512_fmadd_ps(low, _mm512_set1_ps(in_sums[c]), total[p][c]);
      }
    }
    codes += 512;
    scales += kPanelRows;
    if constexpr (Lows) lows += kPanelRows;
    in_scales += kColumns;
    starts += kColumns;
    in_sums += kColumns;
  }
}

template <int Panels, bool Lows>
void tiles_of(const DensePanels* w, size_t panel, const ByteTiles* x, size_t first_tile,
              size_t tiles, size_t rows, float* y, size_t stride) {
  for (size_t t = 0; t < tiles; ++t) {
    __m512 total[Panels][kColumns];
    tile<Panels, Lows>(w, panel, x, first_tile + t, total);
    const size_t row = (first_tile + t) * kColumns;
    for (size_t c = 0; c < kColumns && row + c < rows; ++c)
      for (int p = 0; p < Panels; ++p)
        _mm512_storeu_ps(y + (row + c) * stride + (panel + static_cast<size_t>(p)) * kPanelRows,
                         total[p][c]);
  }
}

template <bool Lows>
void gemm(const DensePanels* w, size_t panels, const ByteTiles* x, size_t first_tile, size_t tiles,
          size_t rows, float* y, size_t stride) {
  size_t p = 0;
  for (; p + 2 <= panels; p += 2) tiles_of<2, Lows>(w, p, x, first_tile, tiles, rows, y, stride);
  if (p < panels) tiles_of<1, Lows>(w, p, x, first_tile, tiles, rows, y, stride);
}

}  // namespace

void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride) {
  if (form.has_lows)
    gemm<true>(w, panels, x, first_tile, tiles, rows, y, stride);
  else
    gemm<false>(w, panels, x, first_tile, tiles, rows, y, stride);
}

void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums) {
  for (size_t b = 0; b < blocks; ++b, x += 32, codes += 32, sums += 2) {
    const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
    const float top = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
    const __m512 inverse = _mm512_set1_ps(top > 0 ? 127 / top : 0);
    const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
    const __m512i b32 = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_cvtepi32_epi8(a));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 16), _mm512_cvtepi32_epi8(b32));
    scales[b] = top / 127;
    sums[0] = _mm512_reduce_add_epi32(a);
    sums[1] = _mm512_reduce_add_epi32(b32);
  }
}

size_t spin_int8(size_t rounds) {
  constexpr int kSums = 12;
  __m512i sum[kSums], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1);
  for (__m512i& one : sum) one = _mm512_setzero_si512();
  for (size_t i = 0; i < rounds; ++i) {
    NIBBLE_OPAQUE(a);
    NIBBLE_OPAQUE(b);
    for (__m512i& one : sum) one = _mm512_dpbusd_epi32(one, a, b);
  }
  for (int i = 1; i < kSums; ++i) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  volatile int32_t kept = _mm512_reduce_add_epi32(sum[0]);
  (void)kept;
  return rounds * kSums * 64;
}

}  // namespace nibble::NIBBLE_ISA
