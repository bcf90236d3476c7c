// Float kernels, 8 lanes, and the table.
#include "kernels/avx2/intrinsics.h"

#include "kernels/avx2/panels.h"
#include "kernels/vector/entries.h"
#include "kernels/kernels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kLanes = 8;

// Four sums that wait for the others: lane i and lane i + 4 meet first.
__m128 four_lanes(__m256 v) {
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

float sum_of(__m256 v) {
  const __m128 four = four_lanes(v);
  const __m128 two = _mm_hadd_ps(four, four);
  return _mm_cvtss_f32(_mm_hadd_ps(two, two));
}

// Sums of four vectors, in the same order as sum_of.
void sums_of_four(const __m256* v, float* out) {
  const __m128 low = _mm_hadd_ps(four_lanes(v[0]), four_lanes(v[1]));
  const __m128 high = _mm_hadd_ps(four_lanes(v[2]), four_lanes(v[3]));
  _mm_storeu_ps(out, _mm_hadd_ps(low, high));
}

// The first `count` (< 8) values of p, zeros behind them.
template <typename Type>
void copy_tail(const Type* p, size_t count, Type* eight) {
  for (size_t i = 0; i < kLanes; ++i) eight[i] = i < count ? p[i] : Type{0};
}

struct Float {
  using Type = float;
  static __m256 load(const float* p) { return _mm256_loadu_ps(p); }
};
struct Bfloat {
  using Type = uint16_t;
  static __m256 load(const uint16_t* p) {
    const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
  }
};
struct Half {
  using Type = uint16_t;
  static __m256 load(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
};

template <typename W, int Rows>
void rows_at_once(const typename W::Type* w, size_t stride, const float* x, size_t columns,
                  float* y) {
  __m256 sum[Rows][2];
  for (int r = 0; r < Rows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
  size_t c = 0;
  for (; c + 2 * kLanes <= columns; c += 2 * kLanes) {
    const __m256 x0 = _mm256_loadu_ps(x + c), x1 = _mm256_loadu_ps(x + c + kLanes);
    for (int r = 0; r < Rows; ++r) {
      const auto* row = w + static_cast<size_t>(r) * stride + c;
      sum[r][0] = _mm256_fmadd_ps(W::load(row), x0, sum[r][0]);
      sum[r][1] = _mm256_fmadd_ps(W::load(row + kLanes), x1, sum[r][1]);
    }
  }
  for (; c < columns; c += kLanes) {
    const size_t left = columns - c < kLanes ? columns - c : kLanes;
    float inputs[kLanes];
    copy_tail(x + c, left, inputs);
    for (int r = 0; r < Rows; ++r) {
      typename W::Type weights[kLanes];
      copy_tail(w + static_cast<size_t>(r) * stride + c, left, weights);
      sum[r][0] = _mm256_fmadd_ps(W::load(weights), _mm256_loadu_ps(inputs), sum[r][0]);
    }
  }
  __m256 both[Rows];
  for (int r = 0; r < Rows; ++r) both[r] = _mm256_add_ps(sum[r][0], sum[r][1]);
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

template <typename W>
void mix(const float* weights, const typename W::Type* v, size_t stride, size_t rows,
         size_t columns, float* y) {
  size_t c = 0;
  for (; c + 8 * kLanes <= columns; c += 8 * kLanes) {
    __m256 sum[8];
    for (size_t k = 0; k < 8; ++k) sum[k] = _mm256_loadu_ps(y + c + k * kLanes);
    for (size_t r = 0; r < rows; ++r) {
      const __m256 weight = _mm256_set1_ps(weights[r]);
      for (size_t k = 0; k < 8; ++k)
        sum[k] = _mm256_fmadd_ps(W::load(v + r * stride + c + k * kLanes), weight, sum[k]);
    }
    for (size_t k = 0; k < 8; ++k) _mm256_storeu_ps(y + c + k * kLanes, sum[k]);
  }
  for (; c < columns; c += kLanes) {
    const size_t left = columns - c < kLanes ? columns - c : kLanes;
    float out[kLanes];
    copy_tail(y + c, left, out);
    __m256 sum = _mm256_loadu_ps(out);
    for (size_t r = 0; r < rows; ++r) {
      const auto* row = v + r * stride + c;
      typename W::Type tail[kLanes];
      if (left < kLanes) {
        copy_tail(row, left, tail);
        row = tail;
      }
      sum = _mm256_fmadd_ps(W::load(row), _mm256_set1_ps(weights[r]), sum);
    }
    _mm256_storeu_ps(out, sum);
    for (size_t k = 0; k < left; ++k) y[c + k] = out[k];
  }
}

float dot(const float* a, const float* b, size_t count) {
  float result;
  rows_at_once<Float, 1>(a, 0, b, count, &result);
  return result;
}

float square_sum(const float* x, size_t count) { return dot(x, x, count); }

void add_scaled(float a, const float* x, float* y, size_t count) {
  const __m256 factor = _mm256_set1_ps(a);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    _mm256_storeu_ps(y + i,
                     _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
  for (; i < count; ++i) y[i] += a * x[i];
}

template <typename W>
void convert(const uint16_t* from, float* to, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) _mm256_storeu_ps(to + i, W::load(from + i));
  if (i < count) {
    uint16_t words[kLanes];
    float values[kLanes];
    copy_tail(from + i, count - i, words);
    _mm256_storeu_ps(values, W::load(words));
    for (size_t k = 0; i + k < count; ++k) to[i + k] = values[k];
  }
}

void float_to_half(const float* from, uint16_t* to, size_t count) {
  for (size_t i = 0; i < count; i += kLanes) {
    const size_t left = count - i < kLanes ? count - i : kLanes;
    float values[kLanes];
    copy_tail(from + i, left, values);
    uint16_t out[kLanes];
    const __m256 eight = _mm256_loadu_ps(values);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     _mm256_cvtps_ph(eight, _MM_FROUND_TO_NEAREST_INT));
    for (size_t k = 0; k < left; ++k) to[i + k] = out[k];
  }
}

void bytes_to_float(const int8_t* from, const float* scales, size_t blocks, float* to) {
  for (size_t b = 0; b < blocks; ++b)
    for (size_t i = 32 * b; i < 32 * (b + 1); i += kLanes) {
      const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + i));
      const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
      _mm256_storeu_ps(to + i, _mm256_mul_ps(values, _mm256_set1_ps(scales[b])));
    }
}

void float_to_bfloat16(const float* from, uint16_t* to, size_t count) {
  for (size_t i = 0; i < count; i += kLanes) {
    const size_t left = count - i < kLanes ? count - i : kLanes;
    float values[kLanes];
    copy_tail(from + i, left, values);
    const __m256 value = _mm256_loadu_ps(values);
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i top = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(top, _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_srli_epi32(
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
    const __m256i quiet = _mm256_or_si256(top, _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    uint32_t words[kLanes];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), _mm256_blendv_epi8(rounded, quiet, nan));
    for (size_t k = 0; k < left; ++k) to[i + k] = static_cast<uint16_t>(words[k]);
  }
}

constexpr float kExpTerms[] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

// exp by 2^n · p(f), |f| ≤ ln 2 / 2; relative error below 3e-7; 0 below −87.3; NaN stays NaN.
__m256 exp_of(__m256 x) {
  const __m256 low = _mm256_set1_ps(-87.3f), high = _mm256_set1_ps(88.3f);
  const __m256 vanishes = _mm256_cmp_ps(x, low, _CMP_LT_OQ);
  const __m256 nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
  const __m256 clamped = _mm256_max_ps(low, _mm256_min_ps(high, x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(clamped, _mm256_set1_ps(1.44269504f)),
                                   _MM_FROUND_TO_NEAREST_INT);
  __m256 f = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), clamped);
  f = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), f);
  __m256 p = _mm256_set1_ps(1.0f / 720);
  for (const float term : kExpTerms) p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(term));
  const __m256i exponent =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  const __m256 result = _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
  return _mm256_blendv_ps(_mm256_andnot_ps(vanishes, result), x, nan);
}

float max_of(const float* row, size_t count) {
  float max = -__builtin_inff();
  for (size_t i = 0; i < count; ++i) max = row[i] > max ? row[i] : max;
  return max;
}

// A row of −∞ alone has no shift that works; with 0 its exponentials are all 0.
float shift_of(float max) { return max == -__builtin_inff() ? 0.0f : max; }

float exp_sum(const float* row, size_t count, float* max) {
  *max = max_of(row, count);
  const __m256 shift = _mm256_set1_ps(shift_of(*max));
  __m256 sum = _mm256_setzero_ps();
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    sum = _mm256_add_ps(sum, exp_of(_mm256_sub_ps(_mm256_loadu_ps(row + i), shift)));
  float tail_sum = 0;
  if (i < count) {
    float tail[kLanes];
    copy_tail(row + i, count - i, tail);
    _mm256_storeu_ps(tail, exp_of(_mm256_sub_ps(_mm256_loadu_ps(tail), shift)));
    for (size_t k = 0; i + k < count; ++k) tail_sum += tail[k];
  }
  return sum_of(sum) + tail_sum;
}

void softmax(float* row, size_t count) {
  const float max = max_of(row, count);
  const __m256 shift = _mm256_set1_ps(shift_of(max));
  float sum = 0;
  __m256 total = _mm256_setzero_ps();
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m256 value = exp_of(_mm256_sub_ps(_mm256_loadu_ps(row + i), shift));
    _mm256_storeu_ps(row + i, value);
    total = _mm256_add_ps(total, value);
  }
  if (i < count) {
    float tail[kLanes];
    copy_tail(row + i, count - i, tail);
    _mm256_storeu_ps(tail, exp_of(_mm256_sub_ps(_mm256_loadu_ps(tail), shift)));
    for (size_t k = 0; i + k < count; ++k) sum += row[i + k] = tail[k];
  }
  sum += sum_of(total);
  const float share = sum == 0 ? 0 : 1 / sum;
  for (i = 0; i < count; ++i) row[i] *= share;
}

void silu_multiply(const float* gate, const float* up, float* out, size_t count) {
  const __m256 one = _mm256_set1_ps(1);
  for (size_t i = 0; i < count; i += kLanes) {
    const size_t left = count - i < kLanes ? count - i : kLanes;
    float gates[kLanes], ups[kLanes];
    copy_tail(gate + i, left, gates);
    copy_tail(up + i, left, ups);
    const __m256 g = _mm256_loadu_ps(gates);
    const __m256 below = _mm256_add_ps(one, exp_of(_mm256_sub_ps(_mm256_setzero_ps(), g)));
    _mm256_storeu_ps(gates, _mm256_mul_ps(_mm256_div_ps(g, below), _mm256_loadu_ps(ups)));
    for (size_t k = 0; k < left; ++k) out[i + k] = gates[k];
  }
}

// −2u of the scalar definition.
__m256 gelu_exponent(__m256 x) {
  const __m256 bracket = _mm256_fmadd_ps(_mm256_mul_ps(x, x), _mm256_set1_ps(-0.0713548163f),
                                         _mm256_set1_ps(-1.5957691216f));
  return _mm256_mul_ps(x, bracket);
}

void gelu_tanh_multiply(const float* gate, const float* up, float* out, size_t count) {
  const __m256 one = _mm256_set1_ps(1);
  for (size_t i = 0; i < count; i += kLanes) {
    const size_t left = count - i < kLanes ? count - i : kLanes;
    float gates[kLanes], ups[kLanes];
    copy_tail(gate + i, left, gates);
    copy_tail(up + i, left, ups);
    const __m256 x = _mm256_loadu_ps(gates);
    const __m256 below = _mm256_add_ps(one, exp_of(gelu_exponent(x)));
    _mm256_storeu_ps(gates, _mm256_mul_ps(_mm256_div_ps(x, below), _mm256_loadu_ps(ups)));
    for (size_t k = 0; k < left; ++k) out[i + k] = gates[k];
  }
}

float rounding_error(const float* w, const float* importance, size_t count, float scale, float zero,
                     float max_code) {
  const __m256 inverse = _mm256_set1_ps(1 / scale), step = _mm256_set1_ps(scale);
  const __m256 lowest = _mm256_set1_ps(-zero), highest = _mm256_set1_ps(max_code - zero);
  __m256 error = _mm256_setzero_ps();
  for (size_t i = 0; i < count; i += kLanes) {
    const size_t left = count - i < kLanes ? count - i : kLanes;
    float values[kLanes], weights[kLanes];
    const float *value_at = w + i, *weight_at = importance + i;
    if (left < kLanes) {
      copy_tail(w + i, left, values);
      copy_tail(importance + i, left, weights);
      value_at = values;
      weight_at = weights;
    }
    const __m256 value = _mm256_loadu_ps(value_at);
    __m256 code = _mm256_round_ps(_mm256_mul_ps(value, inverse), _MM_FROUND_TO_NEAREST_INT);
    code = _mm256_min_ps(_mm256_max_ps(code, lowest), highest);
    const __m256 difference = _mm256_fnmadd_ps(code, step, value);
    error =
        _mm256_fmadd_ps(_mm256_mul_ps(difference, difference), _mm256_loadu_ps(weight_at), error);
  }
  return sum_of(error);
}

}  // namespace

extern const Kernels table;
const Kernels table{
    .name = "avx2",
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
