// The table of fast functions, one for each instruction set; kernels/scalar is the specification.
// Included by files compiled with instruction-set flags: no inline functions, no library headers.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/panel_types.h"

namespace nibble {

// Rows of a PackedMatrix (formats/format.h): codes in blocks of 32, `blocks_per_group` blocks
// share a scale and a zero.
struct PackedRows {
  const uint8_t* blocks;  // first row's first block; rows follow each other
  const float* scales;    // [rows, groups]
  const float* zeros;     // [rows, groups]
  size_t groups;
  size_t blocks_per_group;
  const float* table = nullptr;  // [16]: what codes of 4 bits stand for, where that is no number
};

// Products of many rows on registers that hold tiles of them (Intel AMX). A tile of bfloat16 has 16
// rows × 32 columns, 1 KiB; rows and columns that do not exist are 0. Tiles should begin at
// multiples of 64 bytes.
struct TileKernels {
  // At most 16 rows of x [rows, columns] as [blocks][16 rows][32]; blocks = columns / 32, rounded
  // up.
  void (*pack_rows)(const float* x, size_t stride, size_t rows, size_t columns, uint16_t* out);
  // At most 16 rows of weights as a panel: [blocks][16 pairs of columns][16 rows][2].
  void (*panel_of_float)(const float* w, size_t stride, size_t rows, size_t columns, uint16_t* out);
  void (*panel_of_half)(const uint16_t* w, size_t stride, size_t rows, size_t columns,
                        uint16_t* out);
  void (*panel_of_bfloat16)(const uint16_t* w, size_t stride, size_t rows, size_t columns,
                            uint16_t* out);
  // One for each PanelType: a panel in this form.
  void (*const* expand)(const PanelRows* w, size_t panel, uint16_t* out);
  // y[row · stride + 16 · p + i] for `panels` panels and rows of x [⌈rows / 16⌉ tiles].
  void (*gemm)(const uint16_t* w, size_t panels, const uint16_t* x, size_t rows, size_t blocks,
               float* y, size_t stride);
  // One for each PanelType: PanelKernels' product, for some rows up to `few_rows`.
  void (*const* products)(const PanelRows* w, size_t first, size_t count, const ByteRows* x,
                          size_t rows, float* y, size_t stride);
  size_t few_rows;  // from there on gemm is faster
  // Products in registers alone, for the machine's ceiling; the number of products made.
  size_t (*spin)(size_t rounds);
};

struct Kernels {
  const char* name;

  // Σ a[i]·b[i]
  float (*dot)(const float* a, const float* b, size_t count);
  // y[i] += a·x[i]
  void (*add_scaled)(float a, const float* x, float* y, size_t count);
  // Σ x[i]²
  float (*square_sum)(const float* x, size_t count);

  void (*bfloat16_to_float)(const uint16_t* from, float* to, size_t count);
  void (*half_to_float)(const uint16_t* from, float* to, size_t count);
  void (*float_to_bfloat16)(const float* from, uint16_t* to,
                            size_t count);  // nearest, ties to even

  void (*float_to_half)(const float* from, uint16_t* to, size_t count);  // likewise
  // to[i] = scales[i / 32]·from[i] for `blocks` blocks of 32; what round_to_bytes made.
  void (*bytes_to_float)(const int8_t* from, const float* scales, size_t blocks, float* to);

  // row[i] = exp(row[i] − max) / Σ …; relative error of exp below 1e-6. A row of −∞ alone becomes
  // zeros; a NaN anywhere makes the whole row NaN.
  void (*softmax)(float* row, size_t count);
  // Σ exp(row[i] − max), and the maximum.
  float (*exp_sum)(const float* row, size_t count, float* max);
  // out[i] = gate[i] / (1 + exp(−gate[i])) · up[i]; out may be gate.
  void (*silu_multiply)(const float* gate, const float* up, float* out, size_t count);
  // out[i] = gelu(gate[i]) · up[i], gelu in its tanh form; out may be gate. Error up to 1e-6 of
  // gate · up.
  void (*gelu_tanh_multiply)(const float* gate, const float* up, float* out, size_t count);

  // The gradients of out = silu(gate) · up, or gelu in its tanh form: where gate and up were, those
  // of gate and up under `dout`, the gradient of out.
  void (*silu_gradient)(const float* dout, float* gate, float* up, size_t count);
  void (*gelu_tanh_gradient)(const float* dout, float* gate, float* up, size_t count);

  // y[r] = Σ_c w[r·stride + c]·x[c] for `rows` rows.
  void (*gemv_float)(const float* w, size_t stride, const float* x, size_t rows, size_t columns,
                     float* y);
  void (*gemv_bfloat16)(const uint16_t* w, size_t stride, const float* x, size_t rows,
                        size_t columns, float* y);
  void (*gemv_half)(const uint16_t* w, size_t stride, const float* x, size_t rows, size_t columns,
                    float* y);

  // y[c] += Σ_r weights[r]·v[r·stride + c] for `rows` rows.
  void (*mix_float)(const float* weights, const float* v, size_t stride, size_t rows,
                    size_t columns, float* y);
  void (*mix_bfloat16)(const float* weights, const uint16_t* v, size_t stride, size_t rows,
                       size_t columns, float* y);
  void (*mix_half)(const float* weights, const uint16_t* v, size_t stride, size_t rows,
                   size_t columns, float* y);

  // y[r] = Σ_g scale[r,g]·(Σ_{i in g} code[r,i]·x[i] − zero[r,g]·x_sums[g]); x in slot order.
  // One entry for 2, 3, 4 and 8 bits each.
  void (*gemv_int2)(const PackedRows* w, const float* x, const float* x_sums, size_t rows,
                    float* y);
  void (*gemv_int3)(const PackedRows* w, const float* x, const float* x_sums, size_t rows,
                    float* y);
  void (*gemv_int4)(const PackedRows* w, const float* x, const float* x_sums, size_t rows,
                    float* y);
  void (*gemv_int8)(const PackedRows* w, const float* x, const float* x_sums, size_t rows,
                    float* y);

  // The same of 4-bit codes that stand for what the table has, and of the rising codes of 8-bit
  // floats (formats/grids/fp8.cc), 0 … 253.
  void (*gemv_table4)(const PackedRows* w, const float* x, const float* x_sums, size_t rows,
                      float* y);
  void (*gemv_float8)(const PackedRows* w, const float* x, const float* x_sums, size_t rows,
                      float* y);

  // Float weights of `rows` rows in slot order; out [rows, stride].
  void (*decode_int2)(const PackedRows* w, size_t rows, float* out, size_t stride);
  void (*decode_int3)(const PackedRows* w, size_t rows, float* out, size_t stride);
  void (*decode_int4)(const PackedRows* w, size_t rows, float* out, size_t stride);
  void (*decode_int8)(const PackedRows* w, size_t rows, float* out, size_t stride);
  void (*decode_table4)(const PackedRows* w, size_t rows, float* out, size_t stride);
  void (*decode_float8)(const PackedRows* w, size_t rows, float* out, size_t stride);

  // Panels against rows rounded to bytes, one entry for each PanelType; see panel_types.h.
  const PanelKernels* panels;
  size_t gemm_columns;  // rows of x in a tile of ByteTiles
  // y[row · stride + 16 · p + i] for `panels` dense panels and tiles [first_tile, first_tile +
  // tiles) of x; rows at and beyond `rows` are not written.
  void (*int8_gemm)(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
                    size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride);
  // Blocks of 32 floats to codes = round(x / scale), scale = max |x| / 127, and sums of each 16
  // codes.
  void (*round_to_bytes)(const float* x, size_t blocks, int8_t* codes, float* scales,
                         int32_t* sums);

  // Products of bytes in registers alone, for the machine's ceiling; the number of products made.
  size_t (*spin_int8)(size_t rounds);

  // Σ importance[i]·(w[i] − scale·(clamp(round(w[i]/scale) + zero, 0, max_code) − zero))²
  float (*rounding_error)(const float* w, const float* importance, size_t count, float scale,
                          float zero, float max_code);

  // Null where the CPU has none.
  const TileKernels* tiles = nullptr;
};

// The table in use: the best one the CPU has, unless select_kernels chose another.
const Kernels& kernels();

// "auto" or one of known_kernels(); throws kInvalidArgument (unknown) or kUnsupported (CPU).
void select_kernels(const char* isa);

// Names of all instruction sets there are kernels for, those of other processors too;
// null-terminated.
const char* const* known_kernels();

// Names of the tables this CPU can run, slowest first; null-terminated.
const char* const* runnable_kernels();

// True when the CPU multiplies bfloat16 natively (AVX-512 BF16 or AMX).
bool cpu_has_bfloat16();

// "Intel(R) Xeon(R) …, AVX-512 VNNI BF16": static storage.
const char* cpu_description();

}  // namespace nibble
