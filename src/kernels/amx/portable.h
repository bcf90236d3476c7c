// Tile registers and their products in plain code, and the BF16 conversions that SIMDe lacks: for
// the test build alone.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/avx512/intrinsics.h"

namespace nibble::amx_portable {

struct TileRegisters {
  struct Shapes {
    uint8_t head[16];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } shapes;
  alignas(64) unsigned char values[8][16][64];
};
inline thread_local TileRegisters tile_registers;

inline void _tile_loadconfig(const void* shapes) {
  __builtin_memcpy(&tile_registers.shapes, shapes, sizeof(tile_registers.shapes));
}
inline void _tile_release() { tile_registers = {}; }

inline void _tile_zero(int tile) {
  __builtin_memset(tile_registers.values[tile], 0, sizeof(tile_registers.values[tile]));
}
inline void _tile_loadd(int tile, const void* from, size_t stride) {
  _tile_zero(tile);
  for (size_t r = 0; r < tile_registers.shapes.rows[tile]; ++r)
    __builtin_memcpy(tile_registers.values[tile][r], static_cast<const char*>(from) + r * stride,
                     tile_registers.shapes.row_bytes[tile]);
}
inline void _tile_stored(int tile, void* to, size_t stride) {
  for (size_t r = 0; r < tile_registers.shapes.rows[tile]; ++r)
    __builtin_memcpy(static_cast<char*>(to) + r * stride, tile_registers.values[tile][r],
                     tile_registers.shapes.row_bytes[tile]);
}

template <typename Value>
Value tile_value(int tile, size_t row, size_t column) {
  Value value;
  __builtin_memcpy(&value, tile_registers.values[tile][row] + column * sizeof(Value),
                   sizeof(value));
  return value;
}

// c[r][n] += Σ_k Σ_i a[r][k][i] · b[k][n][i]
template <typename Sum, size_t Parts, typename Left, typename Right>
inline void tile_product(int c, const Left& left, int a, const Right& right) {
  const TileRegisters::Shapes& shapes = tile_registers.shapes;
  for (size_t r = 0; r < shapes.rows[c]; ++r)
    for (size_t n = 0; n < shapes.row_bytes[c] / 4u; ++n) {
      Sum sum = tile_value<Sum>(c, r, n);
      for (size_t k = 0; k < shapes.row_bytes[a] / 4u; ++k)
        for (size_t i = 0; i < Parts; ++i) sum += left(r, k * Parts + i) * right(k, n * Parts + i);
      __builtin_memcpy(tile_registers.values[c][r] + 4 * n, &sum, sizeof(sum));
    }
}
inline float tile_bfloat16(int tile, size_t row, size_t column) {
  const uint32_t bits = static_cast<uint32_t>(tile_value<uint16_t>(tile, row, column)) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}
inline void _tile_dpbf16ps(int c, int a, int b) {
  tile_product<float, 2>(
      c, [a](size_t r, size_t k) { return tile_bfloat16(a, r, k); }, a,
      [b](size_t k, size_t n) { return tile_bfloat16(b, k, n); });
}
inline void _tile_dpbssd(int c, int a, int b) {
  tile_product<int32_t, 4>(
      c, [a](size_t r, size_t k) -> int32_t { return tile_value<int8_t>(a, r, k); }, a,
      [b](size_t k, size_t n) -> int32_t { return tile_value<int8_t>(b, k, n); });
}

// 16 floats to bfloat16 each, nearest, ties to even; `low` first.
inline simde__m512i _mm512_cvtne2ps_pbh(simde__m512 high, simde__m512 low) {
  return from_lanes<simde__m512i, uint16_t, 32>([&](int i) {
    const uint32_t bits = lane_of<uint32_t>(i < 16 ? low : high, i % 16);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  });
}

}  // namespace nibble::amx_portable
