// AVX-512 intrinsics: the CPU's, or SIMDe's when the same file is built for tests.
#pragma once

#ifdef NIBBLE_PORTABLE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#ifndef NIBBLE_ISA  // kernels/amx names its own copy
#define NIBBLE_ISA avx512_portable
#endif
#include "kernels/avx512/portable.h"
#else
#include <immintrin.h>
#ifndef NIBBLE_ISA
#define NIBBLE_ISA avx512
#endif
#endif
#define NIBBLE_ISA_NAME "avx512"

// The compiler may not know what `v` holds: a loop that only heats registers keeps its work.
#ifdef NIBBLE_PORTABLE
#define NIBBLE_OPAQUE(v) (void)(v)
#else
#define NIBBLE_OPAQUE(v) __asm__ volatile("" : "+v"(v))
#endif
