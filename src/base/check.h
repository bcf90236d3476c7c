// NIBBLE_ASSERT: a programmer's mistake. On in debug, sanitizer and fuzz builds; never for input.
#pragma once

#include <cassert>

#ifdef NIBBLE_CHECKED
#include <cstdio>
#include <cstdlib>
#define NIBBLE_ASSERT(condition)                                                                 \
  ((condition)                                                                                   \
       ? static_cast<void>(0)                                                                    \
       : (std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition), \
          __builtin_trap()))
#else
#define NIBBLE_ASSERT(condition) static_cast<void>(0)
#endif
