#include "kernels/avx512/packed.h"

namespace nibble::NIBBLE_AVX512 {
namespace {

// Each struct unpacks one block of 32 codes into two vectors of 16 bytes (formats/int*.cc).
struct Int2 {
  static constexpr size_t kBytes = 8;
  static void codes(const uint8_t* block, __m128i* low, __m128i* high) {
    const __m128i three = _mm_set1_epi8(3);
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(block));
    const __m128i second = _mm_srli_epi16(bytes, 2), third = _mm_srli_epi16(bytes, 4);
    *low = _mm_and_si128(_mm_unpacklo_epi64(bytes, second), three);
    *high = _mm_and_si128(_mm_unpacklo_epi64(third, _mm_srli_epi16(bytes, 6)), three);
  }
};

struct Int3 {
  static constexpr size_t kBytes = 12;
  static void codes(const uint8_t* block, __m128i* low, __m128i* high) {
    Int2::codes(block, low, high);
    const __m128i four = _mm_set1_epi8(4);
    const auto first = static_cast<__mmask16>(block[8] | block[9] << 8);
    const auto second = static_cast<__mmask16>(block[10] | block[11] << 8);
    *low = _mm_mask_add_epi8(*low, first, *low, four);
    *high = _mm_mask_add_epi8(*high, second, *high, four);
  }
};

struct Int4 {
  static constexpr size_t kBytes = 16;
  static void codes(const uint8_t* block, __m128i* low, __m128i* high) {
    const __m128i fifteen = _mm_set1_epi8(15);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block));
    *low = _mm_and_si128(bytes, fifteen);
    *high = _mm_and_si128(_mm_srli_epi16(bytes, 4), fifteen);
  }
};

struct Int8 {
  static constexpr size_t kBytes = 32;
  static void codes(const uint8_t* block, __m128i* low, __m128i* high) {
    *low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block));
    *high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16));
  }
};

__m512 to_float(__m128i codes) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes)); }

// `Rows` rows at once share the loads of x.
template <typename Codes, int Rows>
void rows_at_once(const PackedRows* w, size_t row, const float* x, const float* x_sums, float* y) {
  const size_t row_bytes = w->groups * w->blocks_per_group * Codes::kBytes;
  const uint8_t* block[Rows];
  __m512 total[Rows];
  float shift[Rows];
  for (int r = 0; r < Rows; ++r) {
    block[r] = w->blocks + (row + static_cast<size_t>(r)) * row_bytes;
    total[r] = _mm512_setzero_ps();
    shift[r] = 0;
  }
  for (size_t g = 0; g < w->groups; ++g) {
    __m512 sum[Rows][2];
    for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (size_t b = 0; b < w->blocks_per_group; ++b, x += 32) {
      const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);
      for (int r = 0; r < Rows; ++r) {
        __m128i low, high;
        Codes::codes(block[r], &low, &high);
        block[r] += Codes::kBytes;
        sum[r][0] = _mm512_fmadd_ps(to_float(low), x0, sum[r][0]);
        sum[r][1] = _mm512_fmadd_ps(to_float(high), x1, sum[r][1]);
      }
    }
    for (int r = 0; r < Rows; ++r) {
      const size_t at = (row + static_cast<size_t>(r)) * w->groups + g;
      total[r] = _mm512_fmadd_ps(_mm512_set1_ps(w->scales[at]), _mm512_add_ps(sum[r][0], sum[r][1]),
                                 total[r]);
      shift[r] += w->scales[at] * w->zeros[at] * x_sums[g];
    }
  }
  for (int r = 0; r < Rows; ++r) {
    float lanes[16];
    _mm512_storeu_ps(lanes, total[r]);
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    y[row + static_cast<size_t>(r)] = sum - shift[r];
  }
}

template <typename Codes>
void gemv(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y) {
  size_t row = 0;
  for (; row + 4 <= rows; row += 4) rows_at_once<Codes, 4>(w, row, x, x_sums, y);
  for (; row < rows; ++row) rows_at_once<Codes, 1>(w, row, x, x_sums, y);
}

template <typename Codes>
void decode(const PackedRows* w, size_t rows, float* out, size_t stride) {
  const uint8_t* block = w->blocks;
  for (size_t r = 0; r < rows; ++r) {
    float* values = out + r * stride;
    for (size_t g = 0; g < w->groups; ++g) {
      const size_t at = r * w->groups + g;
      const __m512 scale = _mm512_set1_ps(w->scales[at]), zero = _mm512_set1_ps(w->zeros[at]);
      for (size_t b = 0; b < w->blocks_per_group; ++b, block += Codes::kBytes, values += 32) {
        __m128i low, high;
        Codes::codes(block, &low, &high);
        _mm512_storeu_ps(values, _mm512_mul_ps(scale, _mm512_sub_ps(to_float(low), zero)));
        _mm512_storeu_ps(values + 16, _mm512_mul_ps(scale, _mm512_sub_ps(to_float(high), zero)));
      }
    }
  }
}

}  // namespace

#define NIBBLE_PACKED(lower, Upper)                                                        \
  void gemv_##lower(const PackedRows* w, const float* x, const float* x_sums, size_t rows, \
                    float* y) {                                                            \
    gemv<Upper>(w, x, x_sums, rows, y);                                                    \
  }                                                                                        \
  void decode_##lower(const PackedRows* w, size_t rows, float* out, size_t stride) {       \
    decode<Upper>(w, rows, out, stride);                                                   \
  }
NIBBLE_PACKED(int2, Int2)
NIBBLE_PACKED(int3, Int3)
NIBBLE_PACKED(int4, Int4)
NIBBLE_PACKED(int8, Int8)
#undef NIBBLE_PACKED

}  // namespace nibble::NIBBLE_AVX512
