// Exponentials and what is made of them, and the table.
#include "kernels/kernels.h"
#include "kernels/neon/floats.h"

#include "kernels/neon/panels.h"
#include "kernels/vector/entries.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr float kExpTerms[] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

// exp by 2^n · p(f), |f| ≤ ln 2 / 2; relative error below 3e-7; 0 below −87.3; NaN stays NaN:
// minimum and maximum let it through.
float32x4_t exp_of(float32x4_t x) {
  const float32x4_t low = vdupq_n_f32(-87.3f), high = vdupq_n_f32(88.3f);
  const uint32x4_t vanishes = vcltq_f32(x, low);
  const float32x4_t clamped = vmaxq_f32(low, vminq_f32(high, x));
  const float32x4_t n = vrndnq_f32(vmulq_n_f32(clamped, 1.44269504f));
  float32x4_t f = vfmaq_n_f32(clamped, n, -0.693359375f);
  f = vfmaq_n_f32(f, n, 2.12194440e-4f);
  float32x4_t p = vdupq_n_f32(1.0f / 720);
  for (const float term : kExpTerms) p = vfmaq_f32(vdupq_n_f32(term), p, f);
  const int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23);
  const float32x4_t result = vmulq_f32(p, vreinterpretq_f32_s32(exponent));
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(result), vanishes));
}

// Of what is a number: the instruction for the maximum would let a NaN win.
float max_of(const float* row, size_t count) {
  float32x4_t top = vdupq_n_f32(-__builtin_inff());
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const float32x4_t value = vld1q_f32(row + i);
    top = vbslq_f32(vcgtq_f32(value, top), value, top);
  }
  float max = vmaxvq_f32(top);
  for (; i < count; ++i) max = row[i] > max ? row[i] : max;
  return max;
}

// A row of −∞ alone has no shift that works; with 0 its exponentials are all 0.
float shift_of(float max) { return max == -__builtin_inff() ? 0.0f : max; }

float exp_sum(const float* row, size_t count, float* max) {
  *max = max_of(row, count);
  const float32x4_t shift = vdupq_n_f32(shift_of(*max));
  float32x4_t sum = vdupq_n_f32(0);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    sum = vaddq_f32(sum, exp_of(vsubq_f32(vld1q_f32(row + i), shift)));
  float tail_sum = 0;
  if (i < count) {
    float tail[kLanes];
    copy_tail(row + i, count - i, tail);
    vst1q_f32(tail, exp_of(vsubq_f32(vld1q_f32(tail), shift)));
    for (size_t k = 0; i + k < count; ++k) tail_sum += tail[k];
  }
  return vaddvq_f32(sum) + tail_sum;
}

void softmax(float* row, size_t count) {
  const float32x4_t shift = vdupq_n_f32(shift_of(max_of(row, count)));
  float sum = 0;
  float32x4_t total = vdupq_n_f32(0);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const float32x4_t value = exp_of(vsubq_f32(vld1q_f32(row + i), shift));
    vst1q_f32(row + i, value);
    total = vaddq_f32(total, value);
  }
  if (i < count) {
    float tail[kLanes];
    copy_tail(row + i, count - i, tail);
    vst1q_f32(tail, exp_of(vsubq_f32(vld1q_f32(tail), shift)));
    for (size_t k = 0; i + k < count; ++k) sum += row[i + k] = tail[k];
  }
  sum += vaddvq_f32(total);
  const float share = sum == 0 ? 0 : 1 / sum;
  for (i = 0; i < count; ++i) row[i] *= share;
}

// out[i] = x / (1 + exp(exponent(x))) · up[i], x = gate[i].
template <float32x4_t (*Exponent)(float32x4_t)>
void gate_multiply(const float* gate, const float* up, float* out, size_t count) {
  const float32x4_t one = vdupq_n_f32(1);
  const auto product = [&](float32x4_t x, float32x4_t factor) {
    return vmulq_f32(vdivq_f32(x, vaddq_f32(one, exp_of(Exponent(x)))), factor);
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    vst1q_f32(out + i, product(vld1q_f32(gate + i), vld1q_f32(up + i)));
  if (i < count) {
    float gates[kLanes], ups[kLanes];
    copy_tail(gate + i, count - i, gates);
    copy_tail(up + i, count - i, ups);
    vst1q_f32(gates, product(vld1q_f32(gates), vld1q_f32(ups)));
    for (size_t k = 0; i + k < count; ++k) out[i + k] = gates[k];
  }
}

float32x4_t silu_exponent(float32x4_t x) { return vmulq_n_f32(x, -1); }

// −2u of the scalar definition.
float32x4_t gelu_exponent(float32x4_t x) {
  const float32x4_t bracket =
      vfmaq_n_f32(vdupq_n_f32(-1.5957691216f), vmulq_f32(x, x), -0.0713548163f);
  return vmulq_f32(x, bracket);
}

float rounding_error(const float* w, const float* importance, size_t count, float scale, float zero,
                     float max_code) {
  const float inverse = 1 / scale;
  const float32x4_t lowest = vdupq_n_f32(-zero), highest = vdupq_n_f32(max_code - zero);
  const auto add_error = [&](float32x4_t sum, const float* values, const float* weights) {
    const float32x4_t value = vld1q_f32(values);
    float32x4_t code = vrndnq_f32(vmulq_n_f32(value, inverse));
    code = vminq_f32(vmaxq_f32(code, lowest), highest);
    const float32x4_t difference = vfmaq_n_f32(value, code, -scale);
    return vfmaq_f32(sum, vmulq_f32(difference, difference), vld1q_f32(weights));
  };
  float32x4_t error = vdupq_n_f32(0);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) error = add_error(error, w + i, importance + i);
  if (i < count) {
    float values[kLanes], weights[kLanes];
    copy_tail(w + i, count - i, values);
    copy_tail(importance + i, count - i, weights);
    error = add_error(error, values, weights);
  }
  return vaddvq_f32(error);
}

}  // namespace

extern const Kernels table;
const Kernels table{
    .name = "neon",
    .dot = dot,
    .add_scaled = add_scaled,
    .square_sum = square_sum,
    .bfloat16_to_float = bfloat16_to_float,
    .half_to_float = half_to_float,
    .float_to_bfloat16 = float_to_bfloat16,
    .float_to_half = float_to_half,
    .bytes_to_float = bytes_to_float,
    .softmax = softmax,
    .exp_sum = exp_sum,
    .silu_multiply = gate_multiply<silu_exponent>,
    .gelu_tanh_multiply = gate_multiply<gelu_exponent>,
    .gemv_float = gemv_float,
    .gemv_bfloat16 = gemv_bfloat16,
    .gemv_half = gemv_half,
    .mix_float = mix_float,
    .mix_bfloat16 = mix_bfloat16,
    .mix_half = mix_half,
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
