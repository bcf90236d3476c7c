// The tables of all instruction sets; choose.cc picks one.
#pragma once

#include "kernels/kernels.h"

namespace nibble {

namespace scalar {
extern const Kernels table;
}
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
namespace amx {
extern const TileKernels tiles;
}
namespace neon {
extern const Kernels table;
}
// The same files compiled through SIMDe, for tests on machines without the instructions.
namespace avx2_portable {
extern const Kernels table;
}
namespace avx512_portable {
extern const Kernels table;
}
namespace amx_portable {
extern const TileKernels tiles;
}
namespace neon_portable {
extern const Kernels table;
}

// AVX-512's table and what tiles do better.
inline Kernels with_tiles(const Kernels& avx512, const char* name, const TileKernels& tiles) {
  Kernels table = avx512;
  table.name = name;
  table.tiles = &tiles;
  return table;
}

}  // namespace nibble
