// The specification: what every other table must compute.
#include <cmath>

#include "formats/float8.h"
#include "formats/format.h"
#include "kernels/scalar/panels.h"
#include "kernels/tables.h"
#include "tensor/half.h"

namespace nibble::scalar {
namespace {

float dot(const float* a, const float* b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return static_cast<float>(sum);
}

void add_scaled(float a, const float* x, float* y, size_t count) {
  for (size_t i = 0; i < count; ++i) y[i] += a * x[i];
}

float square_sum(const float* x, size_t count) { return dot(x, x, count); }

void convert_bfloat16(const uint16_t* from, float* to, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = bfloat16_to_float(from[i]);
}

void convert_half(const uint16_t* from, float* to, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = half_to_float(from[i]);
}

void round_to_bfloat16(const float* from, uint16_t* to, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = float_to_bfloat16(from[i]);
}

void round_to_half(const float* from, uint16_t* to, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = float_to_half(from[i]);
}

void bytes_to_float(const int8_t* from, const float* scales, size_t blocks, float* to) {
  for (size_t i = 0; i < 32 * blocks; ++i) to[i] = scales[i / 32] * static_cast<float>(from[i]);
}

template <typename Type, float (*Widen)(Type)>
void mix(const float* weights, const Type* v, size_t stride, size_t rows, size_t columns,
         float* y) {
  for (size_t c = 0; c < columns; ++c) {
    double sum = y[c];
    for (size_t r = 0; r < rows; ++r)
      sum += static_cast<double>(weights[r]) * Widen(v[r * stride + c]);
    y[c] = static_cast<float>(sum);
  }
}

float same(float value) { return value; }

// A row of −∞ alone has no shift that works; with 0 its exponentials are all 0.
float shift_of(float max) { return max == -INFINITY ? 0.0f : max; }

float exp_sum(const float* row, size_t count, float* max) {
  float top = -INFINITY;
  for (size_t i = 0; i < count; ++i) top = row[i] > top ? row[i] : top;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(row[i]) - shift_of(top));
  *max = top;
  return static_cast<float>(sum);
}

void softmax(float* row, size_t count) {
  float max = 0;
  const float sum = exp_sum(row, count, &max);
  const float share = sum == 0 ? 0 : 1 / sum;
  for (size_t i = 0; i < count; ++i)
    row[i] = static_cast<float>(std::exp(static_cast<double>(row[i]) - shift_of(max)) * share);
}

void silu_multiply(const float* gate, const float* up, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i)
    out[i] = static_cast<float>(gate[i] / (1 + std::exp(-static_cast<double>(gate[i]))) * up[i]);
}

// x · (1 + tanh u) / 2 is x / (1 + exp(−2u)), with 2u = sqrt(8/π) · (x + 0.044715 x³).
void gelu_tanh_multiply(const float* gate, const float* up, float* out, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const double x = gate[i];
    const double twice = 1.5957691216057308 * (x + 0.044715 * x * x * x);
    out[i] = static_cast<float>(x / (1 + std::exp(-twice)) * up[i]);
  }
}

// With s = 1 / (1 + exp(−u)): x·s has the derivative s + x·s·(1 − s)·u'.
void gated_gradient(double u, double slope, float dout, float& gate, float& up) {
  const double x = gate, s = 1 / (1 + std::exp(-u));
  gate = static_cast<float>(double{dout} * up * (s + x * s * (1 - s) * slope));
  up = static_cast<float>(dout * x * s);
}

void silu_gradient(const float* dout, float* gate, float* up, size_t count) {
  for (size_t i = 0; i < count; ++i) gated_gradient(gate[i], 1, dout[i], gate[i], up[i]);
}

void gelu_tanh_gradient(const float* dout, float* gate, float* up, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const double x = gate[i];
    gated_gradient(1.5957691216057308 * (x + 0.044715 * x * x * x),
                   1.5957691216057308 * (1 + 0.134145 * x * x), dout[i], gate[i], up[i]);
  }
}

void gemv_float(const float* w, size_t stride, const float* x, size_t rows, size_t columns,
                float* y) {
  for (size_t r = 0; r < rows; ++r) y[r] = dot(w + r * stride, x, columns);
}

template <float (*Convert)(std::uint16_t)>
void gemv_small(const uint16_t* w, size_t stride, const float* x, size_t rows, size_t columns,
                float* y) {
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (size_t c = 0; c < columns; ++c)
      sum += static_cast<double>(Convert(w[r * stride + c])) * x[c];
    y[r] = static_cast<float>(sum);
  }
}

float own_value(const PackedRows*, uint8_t code) { return static_cast<float>(code); }
float table_value(const PackedRows* w, uint8_t code) { return w->table[code]; }
float float8_value(const PackedRows*, uint8_t code) {
  return float8_to_float(static_cast<uint8_t>(code < 127 ? 0x80 | (126 - code) : code - 127));
}

template <int Bits, float (*Value)(const PackedRows*, uint8_t) = own_value>
void gemv_packed(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y) {
  const Format& format = formats::with_bits(Bits);
  const uint8_t* block = w->blocks;
  uint8_t codes[kBlockCodes];
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (size_t g = 0; g < w->groups; ++g) {
      double products = 0;
      const float* input = x + g * w->blocks_per_group * kBlockCodes;
      for (size_t b = 0; b < w->blocks_per_group; ++b, block += format.block_bytes) {
        format.unpack(block, codes);
        for (size_t i = 0; i < kBlockCodes; ++i)
          products += static_cast<double>(Value(w, codes[i])) * input[b * kBlockCodes + i];
      }
      const size_t at = r * w->groups + g;
      sum += w->scales[at] * (products - static_cast<double>(w->zeros[at]) * x_sums[g]);
    }
    y[r] = static_cast<float>(sum);
  }
}

template <int Bits, float (*Value)(const PackedRows*, uint8_t) = own_value>
void decode_packed(const PackedRows* w, size_t rows, float* out, size_t stride) {
  const Format& format = formats::with_bits(Bits);
  const uint8_t* block = w->blocks;
  uint8_t codes[kBlockCodes];
  for (size_t r = 0; r < rows; ++r)
    for (size_t g = 0; g < w->groups; ++g)
      for (size_t b = 0; b < w->blocks_per_group; ++b, block += format.block_bytes) {
        format.unpack(block, codes);
        const size_t at = r * w->groups + g;
        float* values = out + r * stride + (g * w->blocks_per_group + b) * kBlockCodes;
        for (size_t i = 0; i < kBlockCodes; ++i)
          values[i] = w->scales[at] * (Value(w, codes[i]) - w->zeros[at]);
      }
}

float rounding_error(const float* w, const float* importance, size_t count, float scale, float zero,
                     float max_code) {
  double error = 0;
  for (size_t i = 0; i < count; ++i) {
    const float code = std::fmin(std::fmax(std::nearbyint(w[i] / scale) + zero, 0.0f), max_code);
    const double difference = w[i] - static_cast<double>(scale) * (code - zero);
    error += importance[i] * difference * difference;
  }
  return static_cast<float>(error);
}

}  // namespace

const Kernels table{
    .name = "scalar",
    .dot = dot,
    .add_scaled = add_scaled,
    .square_sum = square_sum,
    .bfloat16_to_float = convert_bfloat16,
    .half_to_float = convert_half,
    .float_to_bfloat16 = round_to_bfloat16,
    .float_to_half = round_to_half,
    .bytes_to_float = bytes_to_float,
    .softmax = softmax,
    .exp_sum = exp_sum,
    .silu_multiply = silu_multiply,
    .gelu_tanh_multiply = gelu_tanh_multiply,
    .silu_gradient = silu_gradient,
    .gelu_tanh_gradient = gelu_tanh_gradient,
    .gemv_float = gemv_float,
    .gemv_bfloat16 = gemv_small<bfloat16_to_float>,
    .gemv_half = gemv_small<half_to_float>,
    .mix_float = mix<float, same>,
    .mix_bfloat16 = mix<Bfloat16, bfloat16_to_float>,
    .mix_half = mix<Half, half_to_float>,
    .gemv_int2 = gemv_packed<2>,
    .gemv_int3 = gemv_packed<3>,
    .gemv_int4 = gemv_packed<4>,
    .gemv_int8 = gemv_packed<8>,
    .gemv_table4 = gemv_packed<4, table_value>,
    .gemv_float8 = gemv_packed<8, float8_value>,
    .decode_int2 = decode_packed<2>,
    .decode_int3 = decode_packed<3>,
    .decode_int4 = decode_packed<4>,
    .decode_int8 = decode_packed<8>,
    .decode_table4 = decode_packed<4, table_value>,
    .decode_float8 = decode_packed<8, float8_value>,
    .panels = panel_kernels,
    .gemm_columns = kGemmColumns,
    .int8_gemm = int8_gemm,
    .round_to_bytes = round_to_bytes,
    .spin_int8 = spin_int8,
    .rounding_error = rounding_error,
};

}  // namespace nibble::scalar
