// The large integer product: one dense panel, as two halves of 8 rows, times tiles of three rows
// of x. Bytes are multiplied in pairs into 16 bits, where codes of few bits add up over a block.
#include "kernels/avx2/panel_codes.h"
#include "kernels/avx2/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kColumns = kGemmColumns;
constexpr int kHalves = 2;

// Σ code·x of one block, for two halves and three rows of x; see panel::dot for `Bits`.
template <int Bits>
inline void block_sums(const uint8_t* codes, const int8_t* in, __m256i (*sum)[kColumns]) {
  const __m256i ones = _mm256_set1_epi16(1);
  constexpr int kRun = Bits <= 4 ? 8 : Bits == 5 ? 4 : 1;
  for (int k = 0; k < 8; k += kRun) {
    __m256i part[kHalves][kColumns];
#pragma GCC unroll 8
    for (int i = 0; i < kRun; ++i) {
      const uint8_t* at = codes + 64 * (k + i);
      __m256i w0 = panel::load(at), w1 = panel::load(at + 32);
      if constexpr (Bits == 8) {
        w0 = _mm256_xor_si256(w0, _mm256_set1_epi8(-128));
        w1 = _mm256_xor_si256(w1, _mm256_set1_epi8(-128));
      }
      for (size_t c = 0; c < kColumns; ++c) {
        const __m256i four =
            panel::four_bytes(in + 4 * (static_cast<size_t>(k + i) * kColumns + c));
        __m256i p0, p1;
        if constexpr (Bits == 8) {
          p0 = _mm256_maddubs_epi16(_mm256_abs_epi8(w0), _mm256_sign_epi8(four, w0));
          p1 = _mm256_maddubs_epi16(_mm256_abs_epi8(w1), _mm256_sign_epi8(four, w1));
        } else {
          p0 = _mm256_maddubs_epi16(w0, four);
          p1 = _mm256_maddubs_epi16(w1, four);
        }
        part[0][c] = i == 0 ? p0 : _mm256_add_epi16(part[0][c], p0);
        part[1][c] = i == 0 ? p1 : _mm256_add_epi16(part[1][c], p1);
      }
    }
    for (int h = 0; h < kHalves; ++h)
      for (size_t c = 0; c < kColumns; ++c)
        sum[h][c] = _mm256_add_epi32(sum[h][c], _mm256_madd_epi16(part[h][c], ones));
  }
}

template <int Bits, bool Lows>
void tile(const DensePanels* w, size_t panel, const ByteTiles* x, size_t tile_index,
          __m256 (*total)[kColumns]) {
  const size_t blocks = w->blocks, side = tile_index * blocks * kColumns;
  const int8_t* in = x->codes + side * kBlockColumns;
  const float* in_scales = x->scales + side;
  const int32_t* starts = x->starts + side;
  const float* in_sums = x->sums + side;
  const uint8_t* codes = w->codes + panel * blocks * 512;
  const float* scales = w->scales + panel * blocks * kPanelRows;
  const float* lows = Lows ? w->lows + panel * blocks * kPanelRows : nullptr;
  for (int h = 0; h < kHalves; ++h)
    for (size_t c = 0; c < kColumns; ++c) total[h][c] = _mm256_setzero_ps();
  for (size_t b = 0; b < blocks; ++b) {
    __m256i sum[kHalves][kColumns];
    for (int h = 0; h < kHalves; ++h)
      for (size_t c = 0; c < kColumns; ++c)
        sum[h][c] = Bits == 8 ? _mm256_setzero_si256() : _mm256_set1_epi32(starts[c]);
    block_sums<Bits>(codes, in, sum);
    for (int h = 0; h < kHalves; ++h) {
      const __m256 scale = _mm256_loadu_ps(scales + 8 * h);
      for (size_t c = 0; c < kColumns; ++c) {
        const __m256 part = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[h][c]), scale);
        total[h][c] = _mm256_fmadd_ps(part, _mm256_set1_ps(in_scales[c]), total[h][c]);
      }
      if constexpr (Lows) {
        const __m256 low = _mm256_loadu_ps(lows + 8 * h);
        for (size_t c = 0; c < kColumns; ++c)
          total[h][c] = _mm256_fmadd_ps(low, _mm256_set1_ps(in_sums[c]), total[h][c]);
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

template <int Bits, bool Lows>
void gemm(const DensePanels* w, size_t panels, const ByteTiles* x, size_t first_tile, size_t tiles,
          size_t rows, float* y, size_t stride) {
  for (size_t p = 0; p < panels; ++p)
    for (size_t t = first_tile; t < first_tile + tiles; ++t) {
      __m256 total[kHalves][kColumns];
      tile<Bits, Lows>(w, p, x, t, total);
      for (size_t c = 0; c < kColumns && t * kColumns + c < rows; ++c)
        for (int h = 0; h < kHalves; ++h)
          _mm256_storeu_ps(
              y + (t * kColumns + c) * stride + p * kPanelRows + static_cast<size_t>(8 * h),
              total[h][c]);
    }
}

}  // namespace

void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride) {
  const auto run = form.bits <= 4   ? (form.has_lows ? gemm<4, true> : gemm<4, false>)
                   : form.bits == 5 ? (form.has_lows ? gemm<5, true> : gemm<5, false>)
                                    : (form.has_lows ? gemm<8, true> : gemm<8, false>);
  run(w, panels, x, first_tile, tiles, rows, y, stride);
}

void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums) {
  for (size_t b = 0; b < blocks; ++b) {
    __m256 top = _mm256_setzero_ps();
    for (int i = 0; i < 4; ++i)
      top = _mm256_max_ps(top, panel::absolute(_mm256_loadu_ps(x + 8 * i)));
    float lanes[8];
    _mm256_storeu_ps(lanes, top);
    float largest = 0;
    for (const float lane : lanes) largest = lane > largest ? lane : largest;
    scales[b] = largest / 127;
    const __m256 inverse = _mm256_set1_ps(largest > 0 ? 127 / largest : 0);
    for (int half = 0; half < 2; ++half, x += 16, codes += 16, ++sums) {
      const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
      const __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), inverse));
      // Packing works inside 128 bits; the permutations put the order right.
      const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, c), 0xD8);
      const __m128i bytes =
          _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), bytes);
      int32_t parts[8];
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(parts), _mm256_add_epi32(a, c));
      *sums = 0;
      for (const int32_t part : parts) *sums += part;
    }
  }
}

// Two products of bytes are added in 16 bits before they are widened: the best for codes of up to
// six bits.
size_t spin_int8(size_t rounds) {
  constexpr int kSums = 6;
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[kSums], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(1);
  for (__m256i& one : sum) one = _mm256_setzero_si256();
  for (size_t i = 0; i < rounds; ++i) {
    NIBBLE_OPAQUE(a);
    NIBBLE_OPAQUE(b);
    for (__m256i& one : sum) {
      const __m256i first = _mm256_maddubs_epi16(a, b);
      NIBBLE_OPAQUE(a);
      const __m256i both = _mm256_add_epi16(first, _mm256_maddubs_epi16(b, a));
      one = _mm256_add_epi32(one, _mm256_madd_epi16(both, ones));
    }
  }
  int32_t lanes[8];
  for (int i = 1; i < kSums; ++i) sum[0] = _mm256_add_epi32(sum[0], sum[i]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), sum[0]);
  volatile int32_t kept = lanes[0];
  (void)kept;
  return rounds * kSums * 64;
}

}  // namespace nibble::NIBBLE_ISA
