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
// 4k … 4k + 3. Codes of fewer than 8 bits share bytes, in planes of 64 bytes. Which step the bits
// of a byte belong to, 7 … 0 from left to right:
//
// clang-format off
//              plane 0           plane 1           plane 2           plane 3
//   1 bit      7 6 5 4 3 2 1 0
//   2 bits     6 6 4 4 2 2 0 0   7 7 5 5 3 3 1 1
//   4 bits     4 4 4 4 0 0 0 0   5 5 5 5 1 1 1 1   6 6 6 6 2 2 2 2   7 7 7 7 3 3 3 3
//
//   3 bits     the planes of 2 bits, then that of 1 bit on top of them
//   5 bits     the planes of 4 bits, then that of 1 bit on top
//   6 bits     the planes of 4 bits, then those of 2 bits on top
//   8 bits     eight planes, step k in plane k
// clang-format on
//
// Codes of the iv4 formats are indices into kIv4, whose entries + 128 are the codes meant above.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace nibble {

// What a unit's header holds.
enum PanelScales { kGroup, kGroupZero, kGroupMin, kSuper32, kSuper32Min, kSuper16, kSuper16Min };

enum PanelType {
#define PANEL(name, bits, table, scales, offset) kPanel_##name,
#include "kernels/panels.def"
#undef PANEL
  kPanelTypes
};

inline constexpr size_t kPanelRows = 16;
inline constexpr size_t kBlockColumns = 32;
inline constexpr size_t kSuperBlocks = 8;  // blocks in a unit of the super kinds

// Fit for normally distributed weights: the levels of IQ4_NL, formats/blocks/uneven_levels.h.
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

// Both are consteval: they become numbers and never code, which files compiled with
// instruction-set flags may not share.
consteval size_t header_bytes(PanelScales scales) {
  switch (scales) {
    case kGroup:
      return 32;
    case kGroupZero:
    case kGroupMin:
      return 64;
    case kSuper32:
      return 32 + 8 * 16;
    case kSuper16:
      return 32 + 16 * 16;
    case kSuper32Min:
    case kSuper16Min:
      return 64 + 16 * 16;
  }
  return 0;
}

// After expand: tables and sub-scales of half blocks give int8 codes, 128 for 0.
consteval DenseForm dense_form(int bits, bool table, PanelScales scales, int offset) {
  const bool lows = scales == kGroupZero || scales == kGroupMin || scales == kSuper32Min;
  const bool bytes = table || bits > 5 || scales == kSuper16 || scales == kSuper16Min;
  return {bytes ? 8 : bits <= 4 ? 4 : 5, bytes ? 128 : offset, lows};
}

}  // namespace nibble
