// A panel as a dense operand of the large product: codes as bytes, one scale for each block of 32
// and row. Scales of half blocks are rounded into the codes, which then use the whole byte.
#include "kernels/avx512/panel_codes.h"
#include "kernels/avx512/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

inline void store(uint8_t* p, __m512i v) { _mm512_storeu_si512(reinterpret_cast<__m512i*>(p), v); }

// round((code − Offset) · factor) + 128 for 16 rows of 4 codes; factor [row] in 2^(Shift − 15)ths.
template <int Offset, int Shift>
inline __m512i rescaled(__m512i codes, __m512i factor_low, __m512i factor_high) {
  const __m512i base = _mm512_set1_epi16(Offset), middle = _mm512_set1_epi16(128);
  const __m512i low = _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(codes)), base);
  const __m512i high =
      _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(codes, 1)), base);
  // mulhrs gives a·b / 2^15: the code takes Shift of the bits.
  const __m512i a = _mm512_mulhrs_epi16(_mm512_slli_epi16(low, Shift), factor_low);
  const __m512i b = _mm512_mulhrs_epi16(_mm512_slli_epi16(high, Shift), factor_high);
  const __m256i first = _mm512_cvtepi16_epi8(_mm512_add_epi16(a, middle));
  const __m256i second = _mm512_cvtepi16_epi8(_mm512_add_epi16(b, middle));
  return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
}

// Each row's factor in four 16-bit lanes.
inline void spread(__m512 factor, __m512i* low, __m512i* high) {
  const __m256i words = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(factor));
  const __m512i wide = _mm512_cvtepu16_epi64(_mm256_castsi256_si128(words));
  const __m512i wide_high = _mm512_cvtepu16_epi64(_mm256_extracti128_si256(words, 1));
  const __m512i first = _mm512_or_si512(wide, _mm512_slli_epi64(wide, 16));
  const __m512i second = _mm512_or_si512(wide_high, _mm512_slli_epi64(wide_high, 16));
  *low = _mm512_or_si512(first, _mm512_slli_epi64(first, 32));
  *high = _mm512_or_si512(second, _mm512_slli_epi64(second, 32));
}

// Half blocks with scales d·s0, d·s1, s small integers: codes grow until the larger half fills a
// byte. Returns the scale of the new codes.
template <int Offset>
inline __m512 merge_halves(__m512i* steps, __m512 d, __m512 s0, __m512 s1) {
  constexpr float kLargest = Offset;          // of |code − Offset|
  constexpr int kShift = Offset > 8 ? 2 : 5;  // 127 / kLargest in 2^(kShift − 15)ths fits 16 bits
  constexpr float kOne = 1 << (15 - kShift);
  static_assert(127 / kLargest * kOne < 32768 && kLargest * (1 << kShift) <= 32768);
  const __m512 top =
      _mm512_max_ps(_mm512_max_ps(_mm512_abs_ps(s0), _mm512_abs_ps(s1)), _mm512_set1_ps(1));
  const __m512 grow = _mm512_div_ps(_mm512_set1_ps(127 / kLargest), top);
  const __m512 unit = _mm512_mul_ps(grow, _mm512_set1_ps(kOne));
  __m512i low, high;
  spread(_mm512_mul_ps(s0, unit), &low, &high);
  for (int k = 0; k < 4; ++k) steps[k] = rescaled<Offset, kShift>(steps[k], low, high);
  spread(_mm512_mul_ps(s1, unit), &low, &high);
  for (int k = 4; k < 8; ++k) steps[k] = rescaled<Offset, kShift>(steps[k], low, high);
  return _mm512_div_ps(d, grow);
}

// Two-bit codes with a scale and a low for each half block: every weight is one of four bytes.
inline __m512 merge_lows(__m512i* steps, __m512 d, __m512 m, __m128i first, __m128i second) {
  const __m512 s0 = _mm512_mul_ps(d, panel::unsigned_bytes(panel::low_nibbles(first)));
  const __m512 s1 = _mm512_mul_ps(d, panel::unsigned_bytes(panel::low_nibbles(second)));
  const __m512 l0 = _mm512_mul_ps(m, panel::unsigned_bytes(panel::high_nibbles(first)));
  const __m512 l1 = _mm512_mul_ps(m, panel::unsigned_bytes(panel::high_nibbles(second)));
  const __m512 three = _mm512_set1_ps(3);
  __m512 top = _mm512_max_ps(_mm512_abs_ps(l0), _mm512_abs_ps(l1));
  top = _mm512_max_ps(top, _mm512_abs_ps(_mm512_fmsub_ps(s0, three, l0)));
  top = _mm512_max_ps(top, _mm512_abs_ps(_mm512_fmsub_ps(s1, three, l1)));
  top = _mm512_max_ps(top, _mm512_set1_ps(1e-30f));
  const __m512 grow = _mm512_div_ps(_mm512_set1_ps(127), top);
  const __m512i middle = _mm512_set1_epi32(128);
  const auto table = [&](__m512 s, __m512 l) {
    __m512i bytes = _mm512_setzero_si512();
    for (int code = 0; code < 4; ++code) {
      const __m512 value = _mm512_fmsub_ps(s, _mm512_set1_ps(static_cast<float>(code)), l);
      const __m512i rounded =
          _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(value, grow)), middle);
      bytes = _mm512_or_si512(bytes, _mm512_sll_epi32(rounded, _mm_cvtsi32_si128(8 * code)));
    }
    return bytes;
  };
  const __m512i t0 = table(s0, l0), t1 = table(s1, l1);
  // A shuffle works inside 128 bits, that is four rows: row r's table starts at byte 4·(r % 4).
  const __m512i row =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
  for (int k = 0; k < 8; ++k)
    steps[k] = _mm512_shuffle_epi8(k < 4 ? t0 : t1, _mm512_add_epi8(steps[k], row));
  return _mm512_div_ps(_mm512_set1_ps(1), grow);
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void expand(const PanelRows* w, size_t panel, uint8_t* codes, float* scales, float* lows) {
  constexpr size_t kCodes = panel::kBlockBytes<Bits>;
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  for (size_t u = 0; u < w->units; ++u) {
    const __m512 d = panel::halves(unit);
    const uint8_t* from = unit + header_bytes(Scales);
    for (size_t b = 0; b < blocks; ++b, from += kCodes) {
      __m512i steps[8];
      panel::unpack<Bits, Table>(from, steps);
      __m512 scale = d;
      [[maybe_unused]] __m512 low = _mm512_setzero_ps();
      if constexpr (Scales == kGroupZero)
        low = _mm512_mul_ps(d, _mm512_sub_ps(_mm512_setzero_ps(), panel::halves(unit + 32)));
      if constexpr (Scales == kGroupMin) low = panel::halves(unit + 32);
      if constexpr (Scales == kSuper32)
        scale = _mm512_mul_ps(d, panel::signed_bytes(panel::bytes(unit + 32 + 16 * b)));
      if constexpr (Scales == kSuper32Min) {
        scale = _mm512_mul_ps(d, panel::unsigned_bytes(panel::bytes(unit + 64 + 16 * b)));
        low = _mm512_mul_ps(_mm512_sub_ps(_mm512_setzero_ps(), panel::halves(unit + 32)),
                            panel::unsigned_bytes(panel::bytes(unit + 64 + 128 + 16 * b)));
      }
      if constexpr (Scales == kSuper16)
        scale =
            merge_halves<Offset>(steps, d, panel::signed_bytes(panel::bytes(unit + 32 + 32 * b)),
                                 panel::signed_bytes(panel::bytes(unit + 32 + 32 * b + 16)));
      if constexpr (Scales == kSuper16Min)
        scale = merge_lows(steps, d, panel::halves(unit + 32), panel::bytes(unit + 64 + 32 * b),
                           panel::bytes(unit + 64 + 32 * b + 16));
      for (int k = 0; k < 8; ++k) store(codes + 64 * k, steps[k]);
      codes += 512;
      _mm512_storeu_ps(scales, scale);
      scales += kPanelRows;
      if constexpr (dense_form(Bits, Table, Scales, Offset).has_lows) {
        _mm512_storeu_ps(lows, low);
        lows += kPanelRows;
      }
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
