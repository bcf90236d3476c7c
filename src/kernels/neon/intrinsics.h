// NEON intrinsics with the dot product: the CPU's, or SIMDe's when the same file is built for
// tests.
#pragma once

#ifdef NIBBLE_PORTABLE
#define NIBBLE_ISA neon_portable
#include "kernels/neon/portable.h"
#else
#include <arm_neon.h>
#define NIBBLE_ISA neon
#endif
#define NIBBLE_ISA_NAME "neon"

// The compiler may not know what `v` holds: a loop that only heats registers keeps its work.
#ifdef NIBBLE_PORTABLE
#define NIBBLE_OPAQUE(v) (void)(v)
#else
#define NIBBLE_OPAQUE(v) __asm__ volatile("" : "+w"(v))
#endif
