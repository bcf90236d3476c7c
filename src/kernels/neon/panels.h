// Products of panels with few rows, panels as dense operands, the large product, rounding to bytes.
#pragma once

#include "kernels/neon/intrinsics.h"
#include "kernels/panel_types.h"

namespace nibble::NIBBLE_ISA {

extern const PanelKernels panel_kernels[kPanelTypes];

// Four rows of x put a step of each into one vector: a lane for each row.
inline constexpr size_t kGemmColumns = 4;
void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride);
size_t spin_int8(size_t rounds);
void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums);

}  // namespace nibble::NIBBLE_ISA
