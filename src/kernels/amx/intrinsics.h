// AMX tiles beside AVX-512 with BF16: the CPU's, or an emulation when the same file is built for
// tests.
#pragma once

#include <stdint.h>

#ifdef NIBBLE_PORTABLE
#define NIBBLE_ISA amx_portable
#include "kernels/amx/portable.h"
#include "kernels/avx512/intrinsics.h"
#define NIBBLE_TILE_FENCE() (void)0
#else
#define NIBBLE_ISA amx
#include "kernels/avx512/intrinsics.h"
// GCC 12 does not know that its tile intrinsics read memory: before one reads what this function
// wrote, this makes it write.
#define NIBBLE_TILE_FENCE() __asm__ volatile("" ::: "memory")
#endif

namespace nibble::NIBBLE_ISA {

// How many rows of how many bytes each of the eight tile registers holds. (Intel SDM, LDTILECFG)
struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int row_count, int bytes) {
    rows[tile] = static_cast<uint8_t>(row_count);
    row_bytes[tile] = static_cast<uint16_t>(bytes);
  }
};

// The registers in these shapes; freed at the end, so that no other code inherits them.
class Tiles {
 public:
  explicit Tiles(const TileShapes& shapes) {
    NIBBLE_TILE_FENCE();
    _tile_loadconfig(&shapes);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

}  // namespace nibble::NIBBLE_ISA
