// The large integer product: dense panels times tiles of kGemmColumns rows of x. The sums of a
// block's bytes stay in registers, the sums of floats are touched once for each block.
#pragma once

#include "kernels/vector/panel_codes.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kColumns = kGemmColumns;
constexpr size_t kDenseBlock = 64 * 8;  // bytes of codes in a block

// Vectors of sums: the parts of `Panels` panels.
template <size_t Panels>
using Sums = Floats[Panels * kParts][kColumns];

template <int Bits, size_t Panels, bool Lows>
void tile(const DensePanels* w, size_t panel, const ByteTiles* x, size_t tile_index,
          Sums<Panels>& total) {
  constexpr size_t kVectors = Panels * kParts;
  const size_t blocks = w->blocks, side = tile_index * blocks * kColumns;
  const int8_t* in = x->codes + side * kBlockColumns;
  const float* in_scales = x->scales + side;
  const int32_t* starts = x->starts + side;
  const float* in_sums = x->sums + side;
  const uint8_t* codes = w->codes + panel * blocks * kDenseBlock;
  const float* scales = w->scales + panel * blocks * kPanelRows;
  const float* lows = Lows ? w->lows + panel * blocks * kPanelRows : nullptr;
  const auto at = [blocks](size_t v) {  // a vector's rows in an array over the panels
    return v / kParts * blocks * kPanelRows + v % kParts * kLanes;
  };
  for (size_t v = 0; v < kVectors; ++v)
    for (size_t c = 0; c < kColumns; ++c) total[v][c] = all(0);
  for (size_t b = 0; b < blocks; ++b) {
    Ints sum[kVectors][kColumns];
    for (size_t v = 0; v < kVectors; ++v)
      for (size_t c = 0; c < kColumns; ++c)
        sum[v][c] = all_ints(kSignedBytes<Bits> ? 0 : starts[c]);
    block_sums<Bits>(codes, blocks * kDenseBlock, in, sum);
    for (size_t v = 0; v < kVectors; ++v) {
      const Floats scale = load(scales + at(v));
      for (size_t c = 0; c < kColumns; ++c)
        total[v][c] = plus_product(total[v][c], mul(to_floats(sum[v][c]), scale), in_scales[c]);
      if constexpr (Lows) {
        const Floats low = load(lows + at(v));
        for (size_t c = 0; c < kColumns; ++c)
          total[v][c] = plus_product(total[v][c], low, in_sums[c]);
      }
    }
    in += kBlockColumns * kColumns;
    codes += kDenseBlock;
    scales += kPanelRows;
    if constexpr (Lows) lows += kPanelRows;
    in_scales += kColumns;
    starts += kColumns;
    in_sums += kColumns;
  }
}

template <int Bits, size_t Panels, bool Lows>
void tiles_of(const DensePanels* w, size_t panel, const ByteTiles* x, size_t first_tile,
              size_t tiles, size_t rows, float* y, size_t stride) {
  for (size_t t = first_tile; t < first_tile + tiles; ++t) {
    Sums<Panels> total;
    tile<Bits, Panels, Lows>(w, panel, x, t, total);
    for (size_t c = 0; c < kColumns && t * kColumns + c < rows; ++c)
      for (size_t v = 0; v < Panels * kParts; ++v)
        store(y + (t * kColumns + c) * stride + panel * kPanelRows + v * kLanes, total[v][c]);
  }
}

template <int Bits, bool Lows>
void gemm(const DensePanels* w, size_t panels, const ByteTiles* x, size_t first_tile, size_t tiles,
          size_t rows, float* y, size_t stride) {
  size_t p = 0;
  for (; p + kGemmPanels <= panels; p += kGemmPanels)
    tiles_of<Bits, kGemmPanels, Lows>(w, p, x, first_tile, tiles, rows, y, stride);
  if constexpr (kGemmPanels > 1)
    for (; p < panels; ++p) tiles_of<Bits, 1, Lows>(w, p, x, first_tile, tiles, rows, y, stride);
}

}  // namespace

void int8_gemm(const DensePanels* w, DenseForm form, size_t panels, const ByteTiles* x,
               size_t first_tile, size_t tiles, size_t rows, float* y, size_t stride) {
  constexpr int kFour = kGemmBits<4>, kFive = kGemmBits<5>, kEight = kGemmBits<8>;
  const auto run = form.bits <= 4   ? (form.has_lows ? gemm<kFour, true> : gemm<kFour, false>)
                   : form.bits == 5 ? (form.has_lows ? gemm<kFive, true> : gemm<kFive, false>)
                                    : (form.has_lows ? gemm<kEight, true> : gemm<kEight, false>);
  run(w, panels, x, first_tile, tiles, rows, y, stride);
}

void round_to_bytes(const float* x, size_t blocks, int8_t* codes, float* scales, int32_t* sums) {
  constexpr size_t kVectors = kBlockColumns / kLanes;
  for (size_t b = 0; b < blocks; ++b, x += kBlockColumns) {
    Floats value[kVectors];
    for (size_t i = 0; i < kVectors; ++i) value[i] = load(x + kLanes * i);
    Floats top = absolute(value[0]);
    for (size_t i = 1; i < kVectors; ++i) top = larger(top, absolute(value[i]));
    const float largest = largest_lane(top, 0);
    scales[b] = largest / 127;
    const Floats inverse = all(largest > 0 ? 127 / largest : 0);
    for (size_t half = 0; half < 2; ++half, codes += 16, ++sums) {
      Ints code[kVectors / 2];
      for (size_t i = 0; i < kVectors / 2; ++i)
        code[i] = rounded(mul(value[half * kVectors / 2 + i], inverse));
      *sums = store_bytes(codes, code);
    }
  }
}

}  // namespace nibble::NIBBLE_ISA
