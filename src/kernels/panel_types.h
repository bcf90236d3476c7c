// Weights in panels of 16 rows, and activations rounded to bytes: what the integer products read.
// Included by files compiled with instruction-set flags: no library headers.
//
// A panel holds 16 rows. Its columns come in units that share scales; a unit holds its scales, then
// its codes, block by block of 32 columns. Scales are arrays over the 16 rows:
//
//   kGroup       scale f16                        weight = scale · (code − offset)
//   kGroupZero   scale f16 | zero f16             weight = scale · (code − offset − zero)
//   kGroupMin    scale f16 | low f16              weight = scale · code + low
//   kSuper32     d f16 | 8 × s int8               weight = d · s · (code − offset), s of its block
//   kSuper32Min  d f16 | m f16 | 8 × s uint8 | 8 × n uint8         weight = d · s · code − m · n
//   kSuper16     d f16 | 16 × s int8              the same with s of each half block
//   kSuper16Min  d f16 | m f16 | 16 × (s | n << 4) uint8           weight = d · s · code − m · n
//
// The codes of a block are eight steps of 64 bytes, [16 rows][4 columns]; step k holds columns
// 4k … 4k + 3. Codes of fewer than 8 bits lie in planes, wide ones first:
//
//   4 bits  4 × 64 bytes: step k in the low nibbles of the k-th for k < 4, else the high ones of k
//   − 4 2 bits  2 × 64 bytes: step k in bits 2·(k / 2) of the (k % 2)-th 1 bit   64 bytes: step k
//   in bit k 3 = 2 + 1, 5 = 4 + 1, 6 = 4 + 2 bits, the second plane on top
//
// Codes of the iv4 formats are indices into kIv4, whose entries + 128 are the codes meant above.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace nibble {

enum PanelScheme { kGroup, kGroupZero, kGroupMin, kSuper32, kSuper32Min, kSuper16, kSuper16Min };

enum PanelType {
#define PANEL(name, bits, table, scheme, offset) kPanel_##name,
#include "kernels/panels.def"
#undef PANEL
  kPanelTypes
};

inline constexpr size_t kPanelRows = 16;
inline constexpr size_t kBlockColumns = 32;
inline constexpr size_t kSuperBlocks = 8;  // blocks in a unit of the super schemes

// Fit for normally distributed weights: levels of IQ4_NL.
inline constexpr int8_t kIv4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};

struct PanelRows {
  const uint8_t* panels;  // the first panel
  size_t panel_bytes;
  size_t units;  // in a panel
  size_t blocks_per_unit;
};

// Rows of floats rounded to int8, each block of 32 with its own scale.
struct ByteRows {
  const int8_t* codes;  // [rows, blocks · 32]
  const float* scales;  // [rows, blocks]
  const int32_t* sums;  // [rows, 2 · blocks] of each 16 codes
  size_t blocks;
};

// The same rows as the large product reads them: tiles of `gemm_columns` rows, step by step.
struct ByteTiles {
  const int8_t* codes;    // [tiles, 8 · blocks, gemm_columns, 4]
  const float* scales;    // [tiles, blocks, gemm_columns]
  const int32_t* starts;  // [tiles, blocks, gemm_columns]: −offset · the block's sum of codes
  const float* sums;      // [tiles, blocks, gemm_columns]: scale · the block's sum of codes
};

// Dense operand of the large product: weight = scale · (code − offset) + low.
struct DensePanels {
  const uint8_t* codes;  // [panels, 8 · blocks, 16, 4]
  const float* scales;   // [panels, blocks, 16]
  const float* lows;     // the same, or null: all 0
  size_t blocks;
};

// How a panel format looks after `expand`.
struct DenseForm {
  int bits;  // largest code is below 2^bits
  int offset;
  int has_lows;
};

struct PanelKernels {
  // y[row · stride + 16 · p + i] for panels [first, first + count) and x's first `rows` rows.
  void (*product)(const PanelRows* w, size_t first, size_t count, const ByteRows* x, size_t rows,
                  float* y, size_t stride);
  // One panel as a dense operand; sub-block scales of 16 are rounded into the codes.
  void (*expand)(const PanelRows* w, size_t panel, uint8_t* codes, float* scales, float* lows);
};

// After expand: tables and sub-scales of half blocks give int8 codes, 128 for 0.
constexpr DenseForm dense_form(int bits, bool table, PanelScheme scheme, int offset) {
  const bool lows = scheme == kGroupZero || scheme == kGroupMin || scheme == kSuper32Min;
  const bool bytes = table || bits > 5 || scheme == kSuper16 || scheme == kSuper16Min;
  return {bytes ? 8 : bits <= 4 ? 4 : 5, bytes ? 128 : offset, lows};
}

}  // namespace nibble
