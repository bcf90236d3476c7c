// Products and decoding of packed codes, four floats at a time.
#pragma once

#include "kernels/kernels.h"
#include "kernels/neon/intrinsics.h"

namespace nibble::NIBBLE_NEON {

void gemv_int2(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void gemv_int3(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void gemv_int4(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void gemv_int8(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void decode_int2(const PackedRows* w, size_t rows, float* out, size_t stride);
void decode_int3(const PackedRows* w, size_t rows, float* out, size_t stride);
void decode_int4(const PackedRows* w, size_t rows, float* out, size_t stride);
void decode_int8(const PackedRows* w, size_t rows, float* out, size_t stride);

}  // namespace nibble::NIBBLE_NEON
