#include "kernels/neon/floats.h"

namespace nibble::NIBBLE_ISA {
namespace {

struct Float {
  using Type = float;
  static float32x4_t load(const float* p) { return vld1q_f32(p); }
};
struct Bfloat {
  using Type = uint16_t;
  static float32x4_t load(const uint16_t* p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
};
struct Half {
  using Type = uint16_t;
  static float32x4_t load(const uint16_t* p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
  }
};

template <typename W, int Rows>
void rows_at_once(const typename W::Type* w, size_t stride, const float* x, size_t columns,
                  float* y) {
  constexpr size_t kRun = 4;  // vectors of each row at once, each with a sum of its own
  float32x4_t sum[Rows][kRun];
  for (int r = 0; r < Rows; ++r)
    for (float32x4_t& one : sum[r]) one = vdupq_n_f32(0);
  size_t c = 0;
  for (; c + kRun * kLanes <= columns; c += kRun * kLanes)
    for (size_t k = 0; k < kRun; ++k) {
      const float32x4_t in = vld1q_f32(x + c + k * kLanes);
      for (int r = 0; r < Rows; ++r) {
        const auto* row = w + static_cast<size_t>(r) * stride + c + k * kLanes;
        sum[r][k] = vfmaq_f32(sum[r][k], W::load(row), in);
      }
    }
  for (; c < columns; c += kLanes) {
    const size_t left = columns - c < kLanes ? columns - c : kLanes;
    float inputs[kLanes];
    copy_tail(x + c, left, inputs);
    for (int r = 0; r < Rows; ++r) {
      typename W::Type weights[kLanes];
      copy_tail(w + static_cast<size_t>(r) * stride + c, left, weights);
      sum[r][0] = vfmaq_f32(sum[r][0], W::load(weights), vld1q_f32(inputs));
    }
  }
  for (int r = 0; r < Rows; ++r)
    y[r] = vaddvq_f32(vaddq_f32(vaddq_f32(sum[r][0], sum[r][1]), vaddq_f32(sum[r][2], sum[r][3])));
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
    float32x4_t sum[8];
    for (size_t k = 0; k < 8; ++k) sum[k] = vld1q_f32(y + c + k * kLanes);
    for (size_t r = 0; r < rows; ++r)
      for (size_t k = 0; k < 8; ++k)
        sum[k] = vfmaq_n_f32(sum[k], W::load(v + r * stride + c + k * kLanes), weights[r]);
    for (size_t k = 0; k < 8; ++k) vst1q_f32(y + c + k * kLanes, sum[k]);
  }
  for (; c < columns; c += kLanes) {
    const size_t left = columns - c < kLanes ? columns - c : kLanes;
    float out[kLanes];
    copy_tail(y + c, left, out);
    float32x4_t sum = vld1q_f32(out);
    for (size_t r = 0; r < rows; ++r) {
      const auto* row = v + r * stride + c;
      typename W::Type tail[kLanes];
      if (left < kLanes) {
        copy_tail(row, left, tail);
        row = tail;
      }
      sum = vfmaq_n_f32(sum, W::load(row), weights[r]);
    }
    vst1q_f32(out, sum);
    for (size_t k = 0; k < left; ++k) y[c + k] = out[k];
  }
}

template <typename W>
void widen(const uint16_t* from, float* to, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) vst1q_f32(to + i, W::load(from + i));
  if (i < count) {
    uint16_t words[kLanes];
    float values[kLanes];
    copy_tail(from + i, count - i, words);
    vst1q_f32(values, W::load(words));
    for (size_t k = 0; i + k < count; ++k) to[i + k] = values[k];
  }
}

template <uint16x4_t (*Narrow)(float32x4_t)>
void narrow(const float* from, uint16_t* to, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) vst1_u16(to + i, Narrow(vld1q_f32(from + i)));
  if (i < count) {
    uint16_t words[kLanes];
    float values[kLanes];
    copy_tail(from + i, count - i, values);
    vst1_u16(words, Narrow(vld1q_f32(values)));
    for (size_t k = 0; i + k < count; ++k) to[i + k] = words[k];
  }
}

inline uint16x4_t to_half(float32x4_t value) { return vreinterpret_u16_f16(vcvt_f16_f32(value)); }

inline uint16x4_t to_bfloat16(float32x4_t value) {
  const uint32x4_t bits = vreinterpretq_u32_f32(value);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x40 << 16));  // NaN stays NaN
  return vshrn_n_u32(vbslq_u32(vceqq_f32(value, value), rounded, quiet), 16);
}

}  // namespace

float dot(const float* a, const float* b, size_t count) {
  float result;
  rows_at_once<Float, 1>(a, 0, b, count, &result);
  return result;
}

float square_sum(const float* x, size_t count) { return dot(x, x, count); }

void add_scaled(float a, const float* x, float* y, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    vst1q_f32(y + i, vfmaq_n_f32(vld1q_f32(y + i), vld1q_f32(x + i), a));
  for (; i < count; ++i) y[i] += a * x[i];
}

void bfloat16_to_float(const uint16_t* from, float* to, size_t count) {
  widen<Bfloat>(from, to, count);
}
void half_to_float(const uint16_t* from, float* to, size_t count) { widen<Half>(from, to, count); }
void float_to_bfloat16(const float* from, uint16_t* to, size_t count) {
  narrow<to_bfloat16>(from, to, count);
}
void float_to_half(const float* from, uint16_t* to, size_t count) {
  narrow<to_half>(from, to, count);
}

void bytes_to_float(const int8_t* from, const float* scales, size_t blocks, float* to) {
  for (size_t b = 0; b < blocks; ++b)
    for (size_t i = 32 * b; i < 32 * (b + 1); i += 8) {
      const int16x8_t words = vmovl_s8(vld1_s8(from + i));
      const float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
      const float32x4_t high = vcvtq_f32_s32(vmovl_high_s16(words));
      vst1q_f32(to + i, vmulq_n_f32(low, scales[b]));
      vst1q_f32(to + i + 4, vmulq_n_f32(high, scales[b]));
    }
}

#define NIBBLE_OF_TYPE(lower, Upper)                                                       \
  void gemv_##lower(const Upper::Type* w, size_t stride, const float* x, size_t rows,      \
                    size_t columns, float* y) {                                            \
    gemv<Upper>(w, stride, x, rows, columns, y);                                           \
  }                                                                                        \
  void mix_##lower(const float* weights, const Upper::Type* v, size_t stride, size_t rows, \
                   size_t columns, float* y) {                                             \
    mix<Upper>(weights, v, stride, rows, columns, y);                                      \
  }
NIBBLE_OF_TYPE(float, Float)
NIBBLE_OF_TYPE(bfloat16, Bfloat)
NIBBLE_OF_TYPE(half, Half)
#undef NIBBLE_OF_TYPE

}  // namespace nibble::NIBBLE_ISA
