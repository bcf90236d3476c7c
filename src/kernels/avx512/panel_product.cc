// Few rows against panels: the codes are read and unpacked once for up to eight rows. A row of x
// enters by broadcasting four of its bytes; each lane adds up one row of the panel.
#include "kernels/avx512/panel_codes.h"
#include "kernels/avx512/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr int kMostColumns = 8;
constexpr size_t kAhead = 2048;  // bytes

struct Column {
  const int8_t* codes;
  const float* scales;
  const int32_t* sums;
};

inline __m512i four_bytes(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return _mm512_set1_epi32(word);
}

// Σ (code − Offset)·x over steps [First, Last) of a block.
template <int Offset, int First, int Last>
inline __m512 dot(const __m512i* steps, const Column& x, size_t block, int32_t sum) {
  __m512i even = _mm512_set1_epi32(-Offset * sum), odd = _mm512_setzero_si512();
  const int8_t* codes = x.codes + block * kBlockColumns;
  for (int k = First; k < Last; k += 2) {
    even = _mm512_dpbusd_epi32(even, steps[k], four_bytes(codes + 4 * k));
    odd = _mm512_dpbusd_epi32(odd, steps[k + 1], four_bytes(codes + 4 * k + 4));
  }
  return _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
}

inline int32_t block_sum(const Column& x, size_t block) {
  return x.sums[2 * block] + x.sums[2 * block + 1];
}

template <int Bits, bool Table, PanelScales Scales, int Offset, int Columns>
void columns(const PanelRows* w, size_t panel, const Column* x, __m512* total) {
  constexpr size_t kCodes = panel::kBlockBytes<Bits>;
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  const size_t unit_bytes = header_bytes(Scales) + blocks * kCodes;
  size_t block = 0;
  for (size_t u = 0; u < w->units; ++u, unit += unit_bytes) {
    const uint8_t* codes = unit + header_bytes(Scales);
    __m512 sum[Columns], low[Columns];
    for (int c = 0; c < Columns; ++c) sum[c] = low[c] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; ++b, ++block, codes += kCodes) {
      for (size_t line = 0; line < kCodes; line += 64) __builtin_prefetch(codes + kAhead + line);
      __m512i steps[8];
      panel::unpack<Bits, Table>(codes, steps);
      [[maybe_unused]] __m512 scale, scale2, lowest, lowest2;
      if constexpr (Scales == kSuper32)
        scale = panel::signed_bytes(panel::bytes(unit + 32 + 16 * b));
      if constexpr (Scales == kSuper32Min) {
        scale = panel::unsigned_bytes(panel::bytes(unit + 64 + 16 * b));
        lowest = panel::unsigned_bytes(panel::bytes(unit + 64 + 128 + 16 * b));
      }
      if constexpr (Scales == kSuper16) {
        scale = panel::signed_bytes(panel::bytes(unit + 32 + 32 * b));
        scale2 = panel::signed_bytes(panel::bytes(unit + 32 + 32 * b + 16));
      }
      if constexpr (Scales == kSuper16Min) {
        const __m128i first = panel::bytes(unit + 64 + 32 * b);
        const __m128i second = panel::bytes(unit + 64 + 32 * b + 16);
        scale = panel::unsigned_bytes(panel::low_nibbles(first));
        scale2 = panel::unsigned_bytes(panel::low_nibbles(second));
        lowest = panel::unsigned_bytes(panel::high_nibbles(first));
        lowest2 = panel::unsigned_bytes(panel::high_nibbles(second));
      }
      for (int c = 0; c < Columns; ++c) {
        const __m512 step = _mm512_set1_ps(x[c].scales[block]);
        if constexpr (Scales == kSuper16 || Scales == kSuper16Min) {
          const int32_t s0 = x[c].sums[2 * block], s1 = x[c].sums[2 * block + 1];
          const __m512 first_half = dot<Offset, 0, 4>(steps, x[c], block, s0);
          const __m512 second_half = dot<Offset, 4, 8>(steps, x[c], block, s1);
          const __m512 both =
              _mm512_fmadd_ps(second_half, scale2, _mm512_mul_ps(first_half, scale));
          sum[c] = _mm512_fmadd_ps(both, step, sum[c]);
          if constexpr (Scales == kSuper16Min) {
            __m512 mins = _mm512_mul_ps(lowest, _mm512_set1_ps(static_cast<float>(s0)));
            mins = _mm512_fmadd_ps(lowest2, _mm512_set1_ps(static_cast<float>(s1)), mins);
            low[c] = _mm512_fmadd_ps(mins, step, low[c]);
          }
        } else {
          const int32_t s = block_sum(x[c], block);
          __m512 value = dot<Offset, 0, 8>(steps, x[c], block, s);
          if constexpr (Scales >= kSuper32) value = _mm512_mul_ps(value, scale);
          sum[c] = _mm512_fmadd_ps(value, step, sum[c]);
          if constexpr (Scales == kSuper32Min)
            low[c] = _mm512_fmadd_ps(
                lowest, _mm512_set1_ps(static_cast<float>(s) * x[c].scales[block]), low[c]);
          if constexpr (Scales == kGroupZero || Scales == kGroupMin)
            low[c] =
                _mm512_add_ps(low[c], _mm512_set1_ps(static_cast<float>(s) * x[c].scales[block]));
        }
      }
    }
    const __m512 scale = panel::halves(unit);
    for (int c = 0; c < Columns; ++c) {
      if constexpr (Scales == kGroupZero)
        sum[c] = _mm512_fnmadd_ps(panel::halves(unit + 32), low[c], sum[c]);
      total[c] = _mm512_fmadd_ps(sum[c], scale, total[c]);
      if constexpr (Scales == kGroupMin)
        total[c] = _mm512_fmadd_ps(panel::halves(unit + 32), low[c], total[c]);
      if constexpr (Scales == kSuper32Min || Scales == kSuper16Min)
        total[c] = _mm512_fnmadd_ps(panel::halves(unit + 32), low[c], total[c]);
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
  __m512 total[Columns];
  for (int c = 0; c < Columns; ++c) total[c] = _mm512_setzero_ps();
  columns<Bits, Table, Scales, Offset, Columns>(w, panel, column, total);
  for (size_t c = 0; c < rows; ++c) _mm512_storeu_ps(y + (first + c) * stride, total[c]);
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
      else if (left <= 4)
        rows_at_once<Bits, Table, Scales, Offset, 4>(w, p, x, row, left, out, stride);
      else
        rows_at_once<Bits, Table, Scales, Offset, 8>(w, p, x, row, left, out, stride);
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
