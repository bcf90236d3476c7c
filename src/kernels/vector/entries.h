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
void gemv_table4(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void gemv_float8(const PackedRows* w, const float* x, const float* x_sums, size_t rows, float* y);
void decode_table4(const PackedRows* w, size_t rows, float* out, size_t stride);
void decode_float8(const PackedRows* w, size_t rows, float* out, size_t stride);

// Products of panels with few rows, and panels as dense operands.
extern const PanelKernels panel_kernels[kPanelTypes];
// The large product, and its operands.
void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride);
void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums);
size_t spin_int8(size_t rounds);

}  // namespace nibble::NIBBLE_ISA
