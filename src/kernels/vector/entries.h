// What the texts in this folder define, once for each instruction set. A source includes its
// instruction set's vectors.h first: that names the namespace.
#pragma once

#ifndef NIBBLE_ISA
#error "include an instruction set's vectors.h first"
#endif

#include "kernels/kernels.h"

namespace nibble::NIBBLE_ISA {

void gemv_int2(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void gemv_int3(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void gemv_int4(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void gemv_int8(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void decode_int2(const PackedRows* w, size_t rows, float* out, size_t stride);
void decode_int3(const PackedRows* w, size_t rows, float* out, size_t stride);
void decode_int4(const PackedRows* w, size_t rows, float* out, size_t stride);
void decode_int8(const PackedRows* w, size_t rows, float* out, size_t stride);

}  // namespace nibble::NIBBLE_ISA
