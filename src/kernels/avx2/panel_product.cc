// Few rows against panels: the codes are read and unpacked once for up to four rows, half a panel
// at a time. A row of x enters by broadcasting four of its bytes; each lane adds up one row.
#include "kernels/avx2/panel_codes.h"
#include "kernels/avx2/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr int kMostColumns = 4;

struct Column {
  const int8_t* codes;
  const float* scales;
  const int32_t* sums;
};

// Σ (code − Offset)·x over steps [First, Last) of a block.
template <int Bits, int Offset, int First, int Last>
inline __m256 dot(const __m256i* steps, const Column& x, size_t block, int32_t sum) {
  const __m256i start = Bits == 8 ? _mm256_setzero_si256() : _mm256_set1_epi32(-Offset * sum);
  const __m256i sum_of =
      panel::dot<Bits, First, Last>(steps, x.codes + block * kBlockColumns, start);
  return _mm256_cvtepi32_ps(sum_of);
}

// `unit` and everything found from it are those of the half panel: `half` is 0 or 8 rows.
template <int Bits, bool Table, PanelScales Scales, int Offset, int Columns>
void columns(const PanelRows* w, size_t panel, size_t half, const Column* x, __m256* total) {
  constexpr size_t kCodes = panel::kBlockBytes<Bits>;
  constexpr int kDotBits = Table ? 8 : Bits;
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  const size_t unit_bytes = header_bytes(Scales) + blocks * kCodes;
  size_t block = 0;
  for (size_t u = 0; u < w->units; ++u, unit += unit_bytes) {
    const uint8_t* codes = unit + header_bytes(Scales) + 4 * half;
    const uint8_t* header = unit + half;
    __m256 sum[Columns], low[Columns];
    for (int c = 0; c < Columns; ++c) sum[c] = low[c] = _mm256_setzero_ps();
    for (size_t b = 0; b < blocks; ++b, ++block, codes += kCodes) {
      if (half == 0)
        for (size_t line = 0; line < kCodes; line += 64)
          _mm_prefetch(reinterpret_cast<const char*>(codes + 2048 + line), _MM_HINT_T0);
      __m256i steps[8];
      panel::unpack<Bits, Table>(codes, steps);
      [[maybe_unused]] __m256 scale, scale2, lowest, lowest2;
      if constexpr (Scales == kSuper32)
        scale = panel::signed_bytes(panel::bytes(header + 32 + 16 * b));
      if constexpr (Scales == kSuper32Min) {
        scale = panel::unsigned_bytes(panel::bytes(header + 64 + 16 * b));
        lowest = panel::unsigned_bytes(panel::bytes(header + 64 + 128 + 16 * b));
      }
      if constexpr (Scales == kSuper16) {
        scale = panel::signed_bytes(panel::bytes(header + 32 + 32 * b));
        scale2 = panel::signed_bytes(panel::bytes(header + 32 + 32 * b + 16));
      }
      if constexpr (Scales == kSuper16Min) {
        const __m128i first = panel::bytes(header + 64 + 32 * b);
        const __m128i second = panel::bytes(header + 64 + 32 * b + 16);
        scale = panel::unsigned_bytes(panel::low_nibbles(first));
        scale2 = panel::unsigned_bytes(panel::low_nibbles(second));
        lowest = panel::unsigned_bytes(panel::high_nibbles(first));
        lowest2 = panel::unsigned_bytes(panel::high_nibbles(second));
      }
      for (int c = 0; c < Columns; ++c) {
        const float step = x[c].scales[block];
        const int32_t s0 = x[c].sums[2 * block], s1 = x[c].sums[2 * block + 1];
        if constexpr (Scales == kSuper16 || Scales == kSuper16Min) {
          const __m256 first = dot<kDotBits, Offset, 0, 4>(steps, x[c], block, s0);
          const __m256 second = dot<kDotBits, Offset, 4, 8>(steps, x[c], block, s1);
          const __m256 both = _mm256_fmadd_ps(second, scale2, _mm256_mul_ps(first, scale));
          sum[c] = _mm256_fmadd_ps(both, _mm256_set1_ps(step), sum[c]);
          if constexpr (Scales == kSuper16Min) {
            __m256 mins = _mm256_mul_ps(lowest, _mm256_set1_ps(static_cast<float>(s0)));
            mins = _mm256_fmadd_ps(lowest2, _mm256_set1_ps(static_cast<float>(s1)), mins);
            low[c] = _mm256_fmadd_ps(mins, _mm256_set1_ps(step), low[c]);
          }
        } else {
          __m256 value = dot<kDotBits, Offset, 0, 8>(steps, x[c], block, s0 + s1);
          if constexpr (Scales >= kSuper32) value = _mm256_mul_ps(value, scale);
          sum[c] = _mm256_fmadd_ps(value, _mm256_set1_ps(step), sum[c]);
          const __m256 scaled = _mm256_set1_ps(static_cast<float>(s0 + s1) * step);
          if constexpr (Scales == kSuper32Min) low[c] = _mm256_fmadd_ps(lowest, scaled, low[c]);
          if constexpr (Scales == kGroupZero || Scales == kGroupMin)
            low[c] = _mm256_add_ps(low[c], scaled);
        }
      }
    }
    const __m256 scale = panel::halves(unit + 2 * half);
    for (int c = 0; c < Columns; ++c) {
      if constexpr (Scales == kGroupZero)
        sum[c] = _mm256_fnmadd_ps(panel::halves(unit + 32 + 2 * half), low[c], sum[c]);
      total[c] = _mm256_fmadd_ps(sum[c], scale, total[c]);
      if constexpr (Scales == kGroupMin)
        total[c] = _mm256_fmadd_ps(panel::halves(unit + 32 + 2 * half), low[c], total[c]);
      if constexpr (Scales == kSuper32Min || Scales == kSuper16Min)
        total[c] = _mm256_fnmadd_ps(panel::halves(unit + 32 + 2 * half), low[c], total[c]);
    }
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
  for (size_t half = 0; half < kPanelRows; half += 8) {
    __m256 total[Columns];
    for (int c = 0; c < Columns; ++c) total[c] = _mm256_setzero_ps();
    columns<Bits, Table, Scales, Offset, Columns>(w, panel, half, column, total);
    for (size_t c = 0; c < rows; ++c) _mm256_storeu_ps(y + (first + c) * stride + half, total[c]);
  }
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void product(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t rows,
             float* y, size_t stride) {
  for (size_t p = first; p < first + count; ++p) {
    float* out = y + p * kPanelRows;
    for (size_t row = 0; row < rows; row += kMostColumns) {
      const size_t left = rows - row < kMostColumns ? rows - row : kMostColumns;
      if (left == 1)
        rows_at_once<Bits, Table, Scales, Offset, 1>(w, p, x, row, left, out, stride);
      else if (left == 2)
        rows_at_once<Bits, Table, Scales, Offset, 2>(w, p, x, row, left, out, stride);
      else
        rows_at_once<Bits, Table, Scales, Offset, 4>(w, p, x, row, left, out, stride);
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
