// Products, sums and conversions of floats, four lanes at a time.
#pragma once

#include "kernels/kernels.h"
#include "kernels/neon/intrinsics.h"

namespace nibble::NIBBLE_ISA {

inline constexpr size_t kLanes = 4;

// The first `count` (< 4) values of p, zeros behind them.
template <typename Type>
void copy_tail(const Type* p, size_t count, Type* four) {
  for (size_t i = 0; i < kLanes; ++i) four[i] = i < count ? p[i] : Type{0};
}

float dot(const float* a, const float* b, size_t count);
void add_scaled(float a, const float* x, float* y, size_t count);
float square_sum(const float* x, size_t count);

void bfloat16_to_float(const uint16_t* from, float* to, size_t count);
void half_to_float(const uint16_t* from, float* to, size_t count);
void float_to_bfloat16(const float* from, uint16_t* to, size_t count);
void float_to_half(const float* from, uint16_t* to, size_t count);
void bytes_to_float(const int8_t* from, const float* scales, size_t blocks, float* to);

void gemv_float(const float* w, size_t stride, const float* x, size_t rows, size_t columns,
                float* y);
void gemv_bfloat16(const uint16_t* w, size_t stride, const float* x, size_t rows, size_t columns,
                   float* y);
void gemv_half(const uint16_t* w, size_t stride, const float* x, size_t rows, size_t columns,
               float* y);

void mix_float(const float* weights, const float* v, size_t stride, size_t rows, size_t columns,
               float* y);
void mix_bfloat16(const float* weights, const uint16_t* v, size_t stride, size_t rows,
                  size_t columns, float* y);
void mix_half(const float* weights, const uint16_t* v, size_t stride, size_t rows, size_t columns,
              float* y);

}  // namespace nibble::NIBBLE_ISA
