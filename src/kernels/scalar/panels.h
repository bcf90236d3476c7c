// The specification of everything about panels, one weight at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panel_types.h"

namespace nibble::scalar {

std::size_t panel_unit_bytes(PanelType type, std::size_t blocks_per_unit);
// The code of a weight, offsets not taken off; table entries + 128. `block`: its first byte.
int panel_code(PanelType type, const std::uint8_t* block, std::size_t row, std::size_t column);
// weight = slope · code + start, for the weight at `column` of a unit.
struct PanelLine {
  float slope = 0, start = 0;
};
PanelLine panel_line(PanelType type, const std::uint8_t* unit, std::size_t row, std::size_t column);
// All weights of one row, padded columns too.
void panel_row(PanelType type, const PanelRows& w, std::size_t row, float* out);

extern const PanelKernels panel_kernels[kPanelTypes];
inline constexpr std::size_t kGemmColumns = 1;
void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride);
std::size_t spin_int8(std::size_t rounds);
void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums);

}  // namespace nibble::scalar
