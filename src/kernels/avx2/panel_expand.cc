// A panel as a dense operand of the large product: codes as bytes, one scale for each block of 32
// and row. Scales of half blocks are rounded into the codes, which then use the whole byte.
#include "kernels/avx2/panel_codes.h"
#include "kernels/avx2/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

// round((code − Offset) · factor) + 128 for 8 rows of 4 codes; factor [row] in 2^(Shift − 15)ths,
// rows 0 … 3 in `low`, 4 … 7 in `high`.
template <int Offset, int Shift>
inline __m256i rescaled(__m256i codes, __m256i factor_low, __m256i factor_high) {
  const __m256i base = _mm256_set1_epi16(Offset), middle = _mm256_set1_epi16(128);
  const __m256i low = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm256_castsi256_si128(codes)), base);
  const __m256i high =
      _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm256_extracti128_si256(codes, 1)), base);
  // mulhrs gives a·b / 2^15: the code takes Shift of the bits.
  const __m256i a = _mm256_mulhrs_epi16(_mm256_slli_epi16(low, Shift), factor_low);
  const __m256i b = _mm256_mulhrs_epi16(_mm256_slli_epi16(high, Shift), factor_high);
  const __m256i both =
      _mm256_packus_epi16(_mm256_add_epi16(a, middle), _mm256_add_epi16(b, middle));
  return _mm256_permute4x64_epi64(both, 0xD8);  // packing works inside 128 bits
}

// Each row's factor in four 16-bit lanes.
inline void spread(__m256 factor, __m256i* low, __m256i* high) {
  const __m256i word = _mm256_and_si256(_mm256_cvtps_epi32(factor), _mm256_set1_epi32(0xFFFF));
  const __m256i pair = _mm256_or_si256(word, _mm256_slli_epi32(word, 16));
  *low = _mm256_permutevar8x32_epi32(pair, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
  *high = _mm256_permutevar8x32_epi32(pair, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7));
}

// Half blocks with scales d·s0, d·s1, s small integers: codes grow until the larger half fills a
// byte. Returns the scale of the new codes.
template <int Offset>
inline __m256 merge_halves(__m256i* steps, __m256 d, __m256 s0, __m256 s1) {
  constexpr float kLargest = Offset;          // of |code − Offset|
  constexpr int kShift = Offset > 8 ? 2 : 5;  // 127 / kLargest in 2^(kShift − 15)ths fits 16 bits
  constexpr float kOne = 1 << (15 - kShift);
  static_assert(127 / kLargest * kOne < 32768 && kLargest * (1 << kShift) <= 32768);
  const __m256 top =
      _mm256_max_ps(_mm256_max_ps(panel::absolute(s0), panel::absolute(s1)), _mm256_set1_ps(1));
  const __m256 grow = _mm256_div_ps(_mm256_set1_ps(127 / kLargest), top);
  const __m256 unit = _mm256_mul_ps(grow, _mm256_set1_ps(kOne));
  __m256i low, high;
  spread(_mm256_mul_ps(s0, unit), &low, &high);
  for (int k = 0; k < 4; ++k) steps[k] = rescaled<Offset, kShift>(steps[k], low, high);
  spread(_mm256_mul_ps(s1, unit), &low, &high);
  for (int k = 4; k < 8; ++k) steps[k] = rescaled<Offset, kShift>(steps[k], low, high);
  return _mm256_div_ps(d, grow);
}

// Two-bit codes with a scale and a low for each half block: every weight is one of four bytes.
inline __m256 merge_lows(__m256i* steps, __m256 d, __m256 m, __m128i first, __m128i second) {
  const __m256 s0 = _mm256_mul_ps(d, panel::unsigned_bytes(panel::low_nibbles(first)));
  const __m256 s1 = _mm256_mul_ps(d, panel::unsigned_bytes(panel::low_nibbles(second)));
  const __m256 l0 = _mm256_mul_ps(m, panel::unsigned_bytes(panel::high_nibbles(first)));
  const __m256 l1 = _mm256_mul_ps(m, panel::unsigned_bytes(panel::high_nibbles(second)));
  const __m256 three = _mm256_set1_ps(3);
  __m256 top = _mm256_max_ps(panel::absolute(l0), panel::absolute(l1));
  top = _mm256_max_ps(top, panel::absolute(_mm256_fmsub_ps(s0, three, l0)));
  top = _mm256_max_ps(top, panel::absolute(_mm256_fmsub_ps(s1, three, l1)));
  top = _mm256_max_ps(top, _mm256_set1_ps(1e-30f));
  const __m256 grow = _mm256_div_ps(_mm256_set1_ps(127), top);
  const auto table = [&](__m256 s, __m256 l) {
    __m256i bytes = _mm256_setzero_si256();
    for (int code = 0; code < 4; ++code) {
      const __m256 value = _mm256_fmsub_ps(s, _mm256_set1_ps(static_cast<float>(code)), l);
      const __m256i rounded =
          _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(value, grow)), _mm256_set1_epi32(128));
      bytes = _mm256_or_si256(bytes, _mm256_sll_epi32(rounded, _mm_cvtsi32_si128(8 * code)));
    }
    return bytes;
  };
  const __m256i t0 = table(s0, l0), t1 = table(s1, l1);
  // A shuffle works inside 128 bits, that is four rows: row r's table starts at byte 4·(r % 4).
  const __m256i row = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
  for (int k = 0; k < 8; ++k)
    steps[k] = _mm256_shuffle_epi8(k < 4 ? t0 : t1, _mm256_add_epi8(steps[k], row));
  return _mm256_div_ps(_mm256_set1_ps(1), grow);
}

// Rows half … half + 7 of one block.
template <int Bits, bool Table, PanelScales Scales, int Offset>
void expand_half(const uint8_t* unit, const uint8_t* from, size_t b, size_t half, uint8_t* codes,
                 float* scales, float* lows) {
  __m256i steps[8];
  panel::unpack<Bits, Table>(from + 4 * half, steps);
  const __m256 d = panel::halves(unit + 2 * half);
  const uint8_t* header = unit + half;
  __m256 scale = d;
  [[maybe_unused]] __m256 low = _mm256_setzero_ps();
  [[maybe_unused]] const uint8_t* second = unit + 32 + 2 * half;
  const __m256 zero = _mm256_setzero_ps();
  if constexpr (Scales == kGroupZero)
    low = _mm256_mul_ps(d, _mm256_sub_ps(zero, panel::halves(second)));
  if constexpr (Scales == kGroupMin) low = panel::halves(second);
  if constexpr (Scales == kSuper32)
    scale = _mm256_mul_ps(d, panel::signed_bytes(panel::bytes(header + 32 + 16 * b)));
  if constexpr (Scales == kSuper32Min) {
    scale = _mm256_mul_ps(d, panel::unsigned_bytes(panel::bytes(header + 64 + 16 * b)));
    low = _mm256_mul_ps(_mm256_sub_ps(zero, panel::halves(second)),
                        panel::unsigned_bytes(panel::bytes(header + 64 + 128 + 16 * b)));
  }
  if constexpr (Scales == kSuper16)
    scale = merge_halves<Offset>(steps, d, panel::signed_bytes(panel::bytes(header + 32 + 32 * b)),
                                 panel::signed_bytes(panel::bytes(header + 32 + 32 * b + 16)));
  if constexpr (Scales == kSuper16Min)
    scale = merge_lows(steps, d, panel::halves(second), panel::bytes(header + 64 + 32 * b),
                       panel::bytes(header + 64 + 32 * b + 16));
  for (int k = 0; k < 8; ++k)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + 64 * k + 4 * half), steps[k]);
  _mm256_storeu_ps(scales + half, scale);
  if constexpr (dense_form(Bits, Table, Scales, Offset).has_lows)
    _mm256_storeu_ps(lows + half, low);
}

template <int Bits, bool Table, PanelScales Scales, int Offset>
void expand(const PanelRows* w, size_t panel, uint8_t* codes, float* scales, float* lows) {
  const uint8_t* unit = w->panels + panel * w->panel_bytes;
  const size_t blocks = Scales >= kSuper32 ? kSuperBlocks : w->blocks_per_unit;
  for (size_t u = 0; u < w->units; ++u) {
    const uint8_t* from = unit + header_bytes(Scales);
    for (size_t b = 0; b < blocks; ++b, from += panel::kBlockBytes<Bits>) {
      expand_half<Bits, Table, Scales, Offset>(unit, from, b, 0, codes, scales, lows);
      expand_half<Bits, Table, Scales, Offset>(unit, from, b, 8, codes, scales, lows);
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
