// The large product: two tiles of x by two panels at a time, so that four sums stay in tile
// registers and each tile loaded is used twice. The panels given stay in the second cache while x
// passes by, two tiles at a time; the next two are fetched meanwhile.
#include "kernels/amx/panels.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kLine = 64;  // bytes of a cache line

TileShapes full_tiles() {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) shapes.set(tile, 16, kTileRowBytes);
  return shapes;
}

// The instruction names its register: no variable may.
template <int Sum>
void store_tile(float* to, size_t stride_bytes) {
  if constexpr (Sum == 0) _tile_stored(0, to, stride_bytes);
  if constexpr (Sum == 1) _tile_stored(1, to, stride_bytes);
  if constexpr (Sum == 2) _tile_stored(2, to, stride_bytes);
  if constexpr (Sum == 3) _tile_stored(3, to, stride_bytes);
}

// Where sums go: up to 32 rows of y.
struct Target {
  float* y;
  size_t stride, rows;

  Target below() const { return {y + 16 * stride, stride, rows > 16 ? rows - 16 : 0}; }
  Target beside() const { return {y + 16, stride, rows}; }
};

// A sum to y; rows that do not exist are left out.
template <int Sum>
void store(Target t) {
  if (t.rows >= 16) {
    store_tile<Sum>(t.y, t.stride * sizeof(float));
    return;
  }
  alignas(64) float all[16][16];
  store_tile<Sum>(all[0], sizeof(all[0]));
  for (size_t r = 0; r < t.rows; ++r) _mm512_storeu_ps(t.y + r * t.stride, _mm512_loadu_ps(all[r]));
}

// What is fetched a little at a time while products are made: the lines that sums will go to, and
// x's next two tiles.
struct Ahead {
  const char* next;
  size_t lines_per_step;

  void step(size_t block, Target y) {
    for (size_t i = 0; i < lines_per_step; ++i, next += kLine) __builtin_prefetch(next, 0, 2);
    if (block >= y.rows) return;
    __builtin_prefetch(y.y + block * y.stride, 1);
    __builtin_prefetch(y.y + block * y.stride + 16, 1);
  }
};

// Registers 0 … 3 are sums (x tile, panel), 4 and 5 tiles of x, 6 and 7 tiles of w.
template <int XTiles, int Panels>
void multiply(const uint16_t* x, const uint16_t* w, size_t blocks, Target y, Ahead& ahead) {
  _tile_zero(0);
  if constexpr (Panels == 2) _tile_zero(1);
  if constexpr (XTiles == 2) _tile_zero(2);
  if constexpr (XTiles == 2 && Panels == 2) _tile_zero(3);
  const uint16_t *x1 = x + blocks * kTileValues, *w1 = w + blocks * kTileValues;
  for (size_t b = 0; b < blocks; ++b) {
    const size_t at = b * kTileValues;
    _tile_loadd(4, x + at, kTileRowBytes);
    _tile_loadd(6, w + at, kTileRowBytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Panels == 2) {
      _tile_loadd(7, w1 + at, kTileRowBytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (XTiles == 2) {
      _tile_loadd(5, x1 + at, kTileRowBytes);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (Panels == 2) _tile_dpbf16ps(3, 5, 7);
    }
    ahead.step(b, y);
  }
  store<0>(y);
  if constexpr (Panels == 2) store<1>(y.beside());
  if constexpr (XTiles == 2) store<2>(y.below());
  if constexpr (XTiles == 2 && Panels == 2) store<3>(y.below().beside());
}

template <int XTiles>
void all_panels(const uint16_t* x, const uint16_t* w, size_t panels, size_t blocks, Target y,
                Ahead ahead) {
  size_t p = 0;
  for (; p + 2 <= panels; p += 2, y = y.beside().beside())
    multiply<XTiles, 2>(x, w + p * blocks * kTileValues, blocks, y, ahead);
  if (p < panels) multiply<XTiles, 1>(x, w + p * blocks * kTileValues, blocks, y, ahead);
}

}  // namespace

void bfloat16_gemm(const uint16_t* w, size_t panels, const uint16_t* x, size_t rows, size_t blocks,
                   float* y, size_t stride) {
  const Tiles tiles(full_tiles());
  const size_t pair_values = 2 * blocks * kTileValues;
  const size_t pair_lines = pair_values * sizeof(uint16_t) / kLine;
  const size_t steps = (panels + 1) / 2 * blocks;
  for (size_t row = 0; row < rows; row += 32, x += pair_values) {
    const bool last = row + 32 >= rows;
    const Target out{y + row * stride, stride, last ? rows - row : 32};
    const Ahead ahead{reinterpret_cast<const char*>(x + pair_values),
                      last ? 0 : (pair_lines + steps - 1) / steps};
    if (out.rows > 16)
      all_panels<2>(x, w, panels, blocks, out, ahead);
    else
      all_panels<1>(x, w, panels, blocks, out, ahead);
  }
}

size_t spin_bfloat16(size_t rounds) {
  const Tiles tiles(full_tiles());
  alignas(64) static const uint16_t zeros[kTileValues] = {};
  _tile_loadd(4, zeros, kTileRowBytes);
  _tile_loadd(5, zeros, kTileRowBytes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (size_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  alignas(64) float kept[16][16];
  _tile_stored(0, kept, sizeof(kept[0]));
  volatile float one = kept[0][0];
  (void)one;
  return rounds * 4 * 16 * kTileValues;
}

}  // namespace nibble::NIBBLE_ISA
