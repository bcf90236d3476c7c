// AVX2 intrinsics: the CPU's, or SIMDe's when the same file is built for tests.
#pragma once

#ifdef NIBBLE_PORTABLE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#define NIBBLE_ISA avx2_portable
#else
#include <immintrin.h>
#define NIBBLE_ISA avx2
#endif
#define NIBBLE_ISA_NAME "avx2"

// The compiler may not know what `v` holds: a loop that only heats registers keeps its work.
#ifdef NIBBLE_PORTABLE
#define NIBBLE_OPAQUE(v) (void)(v)
#else
#define NIBBLE_OPAQUE(v) __asm__ volatile("" : "+x"(v))
#endif
