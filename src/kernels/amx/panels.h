// Products on tile registers: large ones in bfloat16, those of a few rows in bytes.
#pragma once

#include "kernels/amx/intrinsics.h"
#include "kernels/panel_types.h"

namespace nibble::NIBBLE_ISA {

// One tile: a block of 32 columns of 16 rows.
inline constexpr size_t kTileValues = 16 * kBlockColumns;
inline constexpr size_t kTileRowBytes = 64;

void pack_rows(const float* x, size_t stride, size_t rows, size_t columns, uint16_t* out);
void panel_of_float(const float* w, size_t stride, size_t rows, size_t columns, uint16_t* out);
void panel_of_half(const uint16_t* w, size_t stride, size_t rows, size_t columns, uint16_t* out);
void panel_of_bfloat16(const uint16_t* w, size_t stride, size_t rows, size_t columns,
                       uint16_t* out);
void bfloat16_gemm(const uint16_t* w, size_t panels, const uint16_t* x, size_t rows, size_t blocks,
                   float* y, size_t stride);
size_t spin_bfloat16(size_t rounds);

using ExpandPanel = void (*)(const PanelRows* w, size_t panel, uint16_t* out);
extern const ExpandPanel expand_panel[kPanelTypes];

using PanelProduct = void (*)(const PanelRows* w, size_t first, size_t count, const ByteRows* x,
                              size_t rows, float* y, size_t stride);
extern const PanelProduct panel_products[kPanelTypes];

}  // namespace nibble::NIBBLE_ISA
