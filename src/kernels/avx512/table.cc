// Float kernels, 16 lanes, and the table.
#include "kernels/avx512/intrinsics.h"

#include "kernels/avx512/panels.h"
#include "kernels/vector/entries.h"
#include "kernels/kernels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kLanes = 16;

__mmask16 first_lanes(size_t count) { return static_cast<__mmask16>((1u << count) - 1); }

// Four sums that wait for the others: lane i and lane i + 4 meet first.
__m128 four_lanes(__m512 v) {
  const __m512d wide = _mm512_castps_pd(v);
  const __m256 both = _mm256_add_ps(_mm256_castpd_ps(_mm512_castpd512_pd256(wide)),
                                    _mm256_castpd_ps(_mm512_extractf64x4_pd(wide, 1)));
  return _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
}

float sum_of(__m512 v) {
  const __m128 four = four_lanes(v);
  const __m128 two = _mm_hadd_ps(four, four);
  return _mm_cvtss_f32(_mm_hadd_ps(two, two));
}

// Sums of four vectors, in the same order as sum_of.
void sums_of_four(const __m512* v, float* out) {
  const __m128 low = _mm_hadd_ps(four_lanes(v[0]), four_lanes(v[1]));
  const __m128 high = _mm_hadd_ps(four_lanes(v[2]), four_lanes(v[3]));
  _mm_storeu_ps(out, _mm_hadd_ps(low, high));
}

// Loads of 16 weights of each type; `mask` for a row's tail.
struct Float {
  using Type = float;
  static __m512 load(const float* p) { return _mm512_loadu_ps(p); }
  static __m512 load(const float* p, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, p); }
};
struct Bfloat {
  using Type = uint16_t;
  static __m512 widen(__m256i v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
  }
  static __m512 load(const uint16_t* p) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static __m512 load(const uint16_t* p, __mmask16 mask) {
    return widen(_mm256_maskz_loadu_epi16(mask, p));
  }
};
struct Half {
  using Type = uint16_t;
  static __m512 load(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static __m512 load(const uint16_t* p, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, p));
  }
};

template <typename W, int Rows>
void rows_at_once(const typename W::Type* w, size_t stride, const float* x, size_t columns,
                  float* y) {
  __m512 sum[Rows][2];
  for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
  size_t c = 0;
  for (; c + 2 * kLanes <= columns; c += 2 * kLanes) {
    const __m512 x0 = _mm512_loadu_ps(x + c), x1 = _mm512_loadu_ps(x + c + kLanes);
    for (int r = 0; r < Rows; ++r) {
      const auto* row = w + static_cast<size_t>(r) * stride + c;
      // The CPU does not look beyond a page by itself, and a row may end with one.
      if constexpr (Rows == 4) {
        __builtin_prefetch(row + 4 * stride, 0, 2);
        if constexpr (sizeof(*row) == 4) __builtin_prefetch(row + 4 * stride + kLanes, 0, 2);
      }
      sum[r][0] = _mm512_fmadd_ps(W::load(row), x0, sum[r][0]);
      sum[r][1] = _mm512_fmadd_ps(W::load(row + kLanes), x1, sum[r][1]);
    }
  }
  for (; c < columns; c += kLanes) {
    const __mmask16 mask =
        columns - c >= kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(columns - c);
    const __m512 x0 = _mm512_maskz_loadu_ps(mask, x + c);
    for (int r = 0; r < Rows; ++r)
      sum[r][0] =
          _mm512_fmadd_ps(W::load(w + static_cast<size_t>(r) * stride + c, mask), x0, sum[r][0]);
  }
  __m512 both[Rows];
  for (int r = 0; r < Rows; ++r) both[r] = _mm512_add_ps(sum[r][0], sum[r][1]);
  if constexpr (Rows == 4)
    sums_of_four(both, y);
  else
    for (int r = 0; r < Rows; ++r) y[r] = sum_of(both[r]);
}

template <typename W>
void gemv(const typename W::Type* w, size_t stride, const float* x, size_t rows, size_t columns,
          float* y) {
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) rows_at_once<W, 4>(w + r * stride, stride, x, columns, y + r);
  for (; r < rows; ++r) rows_at_once<W, 1>(w + r * stride, stride, x, columns, y + r);
}

// Column blocks of 64, even and odd rows in sums of their own.
template <typename W>
void mix(const float* weights, const typename W::Type* v, size_t stride, size_t rows,
         size_t columns, float* y) {
  size_t c = 0;
  for (; c + 4 * kLanes <= columns; c += 4 * kLanes) {
    __m512 even[4], odd[4];
    for (size_t k = 0; k < 4; ++k) {
      even[k] = _mm512_loadu_ps(y + c + k * kLanes);
      odd[k] = _mm512_setzero_ps();
    }
    size_t r = 0;
    for (; r + 2 <= rows; r += 2) {
      const __m512 w0 = _mm512_set1_ps(weights[r]), w1 = _mm512_set1_ps(weights[r + 1]);
      const auto* row = v + r * stride + c;
      for (size_t k = 0; k < 4; ++k) {
        even[k] = _mm512_fmadd_ps(W::load(row + k * kLanes), w0, even[k]);
        odd[k] = _mm512_fmadd_ps(W::load(row + stride + k * kLanes), w1, odd[k]);
      }
    }
    if (r < rows)
      for (size_t k = 0; k < 4; ++k)
        even[k] = _mm512_fmadd_ps(W::load(v + r * stride + c + k * kLanes),
                                  _mm512_set1_ps(weights[r]), even[k]);
    for (size_t k = 0; k < 4; ++k)
      _mm512_storeu_ps(y + c + k * kLanes, _mm512_add_ps(even[k], odd[k]));
  }
  for (; c < columns; c += kLanes) {
    const __mmask16 mask =
        columns - c >= kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(columns - c);
    __m512 sum = _mm512_maskz_loadu_ps(mask, y + c);
    for (size_t r = 0; r < rows; ++r)
      sum = _mm512_fmadd_ps(W::load(v + r * stride + c, mask), _mm512_set1_ps(weights[r]), sum);
    _mm512_mask_storeu_ps(y + c, mask, sum);
  }
}

float dot(const float* a, const float* b, size_t count) {
  float result;
  rows_at_once<Float, 1>(a, 0, b, count, &result);
  return result;
}

float square_sum(const float* x, size_t count) { return dot(x, x, count); }

void add_scaled(float a, const float* x, float* y, size_t count) {
  const __m512 factor = _mm512_set1_ps(a);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    _mm512_storeu_ps(y + i,
                     _mm512_fmadd_ps(factor, _mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i)));
  for (; i < count; ++i) y[i] += a * x[i];
}

template <typename W>
void convert(const uint16_t* from, float* to, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) _mm512_storeu_ps(to + i, W::load(from + i));
  if (i < count) {
    const __mmask16 mask = first_lanes(count - i);
    _mm512_mask_storeu_ps(to + i, mask, W::load(from + i, mask));
  }
}

void float_to_half(const float* from, uint16_t* to, size_t count) {
  for (size_t i = 0; i < count; i += kLanes) {
    const size_t left = count - i < kLanes ? count - i : kLanes;
    const __mmask16 mask = left == kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(left);
    uint16_t out[kLanes];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, from + i), 0 /* to nearest */));
    for (size_t k = 0; k < left; ++k) to[i + k] = out[k];
  }
}

void bytes_to_float(const int8_t* from, const float* scales, size_t blocks, float* to) {
  for (size_t b = 0; b < blocks; ++b)
    for (size_t i = 32 * b; i < 32 * (b + 1); i += kLanes) {
      const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
      _mm512_storeu_ps(to + i, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)),
                                             _mm512_set1_ps(scales[b])));
    }
}

void float_to_bfloat16(const float* from, uint16_t* to, size_t count) {
  for (size_t i = 0; i < count; i += kLanes) {
    const size_t left = count - i < kLanes ? count - i : kLanes;
    const __mmask16 mask = left == kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(left);
    const __m512 value = _mm512_maskz_loadu_ps(mask, from + i);
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
    const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
    const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    const __m512i words = _mm512_mask_mov_epi32(rounded, nan, quiet);
    uint16_t out[kLanes];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi32_epi16(words));
    for (size_t k = 0; k < left; ++k) to[i + k] = out[k];
  }
}

constexpr float kExpTerms[] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

// exp by 2^n · p(f), |f| ≤ ln 2 / 2; relative error below 3e-7; 0 below −87.3; NaN stays NaN.
__m512 exp_of(__m512 x) {
  const __m512 low = _mm512_set1_ps(-87.3f), high = _mm512_set1_ps(88.3f);
  const __mmask16 vanishes = _mm512_cmp_ps_mask(x, low, _CMP_LT_OQ);
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512 clamped = _mm512_max_ps(low, _mm512_min_ps(high, x));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(clamped, _mm512_set1_ps(1.44269504f)), 0);
  __m512 f = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), clamped);
  f = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), f);
  __m512 p = _mm512_set1_ps(1.0f / 720);
  for (const float term : kExpTerms) p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(term));
  const __m512i exponent =
      _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
  const __m512 result = _mm512_mul_ps(p, _mm512_castsi512_ps(exponent));
  return _mm512_mask_mov_ps(_mm512_mask_mov_ps(result, vanishes, _mm512_setzero_ps()), nan, x);
}

float max_of(const float* row, size_t count) {
  float max = -__builtin_inff();
  size_t i = 0;
  if (count >= kLanes) {
    __m512 top = _mm512_loadu_ps(row);
    for (i = kLanes; i + kLanes <= count; i += kLanes)
      top = _mm512_max_ps(top, _mm512_loadu_ps(row + i));
    float lanes[kLanes];
    _mm512_storeu_ps(lanes, top);
    for (const float lane : lanes) max = lane > max ? lane : max;
  }
  for (; i < count; ++i) max = row[i] > max ? row[i] : max;
  return max;
}

// A row of −∞ alone has no shift that works; with 0 its exponentials are all 0.
float shift_of(float max) { return max == -__builtin_inff() ? 0.0f : max; }

float exp_sum(const float* row, size_t count, float* max) {
  *max = max_of(row, count);
  const __m512 shift = _mm512_set1_ps(shift_of(*max));
  __m512 sum = _mm512_setzero_ps();
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    sum = _mm512_add_ps(sum, exp_of(_mm512_sub_ps(_mm512_loadu_ps(row + i), shift)));
  if (i < count) {
    const __mmask16 mask = first_lanes(count - i);
    const __m512 tail = exp_of(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, row + i), shift));
    sum = _mm512_add_ps(sum, _mm512_maskz_mov_ps(mask, tail));
  }
  return sum_of(sum);
}

void softmax(float* row, size_t count) {
  const float max = max_of(row, count);
  const __m512 shift = _mm512_set1_ps(shift_of(max));
  __m512 total = _mm512_setzero_ps();
  size_t i = 0;
  for (; i < count; i += kLanes) {
    const __mmask16 mask =
        count - i >= kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(count - i);
    const __m512 value = exp_of(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, row + i), shift));
    _mm512_mask_storeu_ps(row + i, mask, value);
    total = _mm512_add_ps(total, _mm512_maskz_mov_ps(mask, value));
  }
  const float sum = sum_of(total);
  const __m512 share = _mm512_set1_ps(sum == 0 ? 0 : 1 / sum);
  for (i = 0; i < count; i += kLanes) {
    const __mmask16 mask =
        count - i >= kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(count - i);
    _mm512_mask_storeu_ps(row + i, mask,
                          _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, row + i), share));
  }
}

void silu_multiply(const float* gate, const float* up, float* out, size_t count) {
  const __m512 one = _mm512_set1_ps(1);
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask16 mask =
        count - i >= kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(count - i);
    const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 below = _mm512_add_ps(one, exp_of(_mm512_sub_ps(_mm512_setzero_ps(), g)));
    const __m512 value =
        _mm512_mul_ps(_mm512_div_ps(g, below), _mm512_maskz_loadu_ps(mask, up + i));
    _mm512_mask_storeu_ps(out + i, mask, value);
  }
}

// −2u of the scalar definition.
__m512 gelu_exponent(__m512 x) {
  const __m512 bracket = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.0713548163f),
                                         _mm512_set1_ps(-1.5957691216f));
  return _mm512_mul_ps(x, bracket);
}

void gelu_tanh_multiply(const float* gate, const float* up, float* out, size_t count) {
  const __m512 one = _mm512_set1_ps(1);
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask16 mask =
        count - i >= kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(count - i);
    const __m512 x = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 below = _mm512_add_ps(one, exp_of(gelu_exponent(x)));
    const __m512 value =
        _mm512_mul_ps(_mm512_div_ps(x, below), _mm512_maskz_loadu_ps(mask, up + i));
    _mm512_mask_storeu_ps(out + i, mask, value);
  }
}

float rounding_error(const float* w, const float* importance, size_t count, float scale, float zero,
                     float max_code) {
  const __m512 inverse = _mm512_set1_ps(1 / scale), step = _mm512_set1_ps(scale);
  const __m512 lowest = _mm512_set1_ps(-zero), highest = _mm512_set1_ps(max_code - zero);
  __m512 error = _mm512_setzero_ps();
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask16 mask =
        count - i >= kLanes ? static_cast<__mmask16>(0xFFFF) : first_lanes(count - i);
    const __m512 value = _mm512_maskz_loadu_ps(mask, w + i);
    __m512 code = _mm512_roundscale_ps(_mm512_mul_ps(value, inverse), 0);
    code = _mm512_min_ps(_mm512_max_ps(code, lowest), highest);
    const __m512 difference = _mm512_fnmadd_ps(code, step, value);
    const __m512 weight = _mm512_maskz_loadu_ps(mask, importance + i);
    error = _mm512_fmadd_ps(_mm512_mul_ps(difference, difference), weight, error);
  }
  return sum_of(error);
}

}  // namespace

extern const Kernels table;
const Kernels table{
    .name = "avx512",
    .dot = dot,
    .add_scaled = add_scaled,
    .square_sum = square_sum,
    .bfloat16_to_float = convert<Bfloat>,
    .half_to_float = convert<Half>,
    .float_to_bfloat16 = float_to_bfloat16,
    .float_to_half = float_to_half,
    .bytes_to_float = bytes_to_float,
    .softmax = softmax,
    .exp_sum = exp_sum,
    .silu_multiply = silu_multiply,
    .gelu_tanh_multiply = gelu_tanh_multiply,
    .gemv_float = gemv<Float>,
    .gemv_bfloat16 = gemv<Bfloat>,
    .gemv_half = gemv<Half>,
    .mix_float = mix<Float>,
    .mix_bfloat16 = mix<Bfloat>,
    .mix_half = mix<Half>,
    .gemv_int2 = gemv_int2,
    .gemv_int3 = gemv_int3,
    .gemv_int4 = gemv_int4,
    .gemv_int8 = gemv_int8,
    .decode_int2 = decode_int2,
    .decode_int3 = decode_int3,
    .decode_int4 = decode_int4,
    .decode_int8 = decode_int8,
    .panels = panel_kernels,
    .gemm_columns = kGemmColumns,
    .int8_gemm = int8_gemm,
    .round_to_bytes = round_to_bytes,
    .spin_int8 = spin_int8,
    .rounding_error = rounding_error,
};

}  // namespace nibble::NIBBLE_ISA
