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
namespace neon_portable {
extern const Kernels table;
}

}  // namespace nibble
