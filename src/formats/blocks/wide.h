// Sixteen numbers as vectors of the CPU. What is marked NIBBLE_INLINE is compiled several times,
// plainly, for AVX2 and for AVX-512, without fused products: all give the same bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "formats/blocks/groups.h"
#include "formats/blocks/levels.h"

namespace nibble::block_formats {

#define NIBBLE_INLINE inline __attribute__((always_inline))

// Defines NAME, a template of PREFIX where that is not empty, with PARAMETERS as CALL of Search<…>,
// the widest that the CPU has; NIBBLE_CHOOSE(NAME) is that function.
#if defined(__x86_64__)
#define NIBBLE_WIDEST(PREFIX, NAME, PARAMETERS, CALL)                                           \
  PREFIX __attribute__((target("avx512f"))) void NAME##_avx512 PARAMETERS { Search<16>::CALL; } \
  PREFIX __attribute__((target("avx2"))) void NAME##_avx2 PARAMETERS { Search<8>::CALL; }       \
  PREFIX void NAME##_plain PARAMETERS { Search<4>::CALL; }
#define NIBBLE_CHOOSE(NAME, ...)                                 \
  (__builtin_cpu_supports("avx512f") ? NAME##_avx512 __VA_ARGS__ \
   : __builtin_cpu_supports("avx2")  ? NAME##_avx2 __VA_ARGS__   \
                                     : NAME##_plain __VA_ARGS__)
#else
#define NIBBLE_WIDEST(PREFIX, NAME, PARAMETERS, CALL) \
  PREFIX void NAME##_plain PARAMETERS { Search<4>::CALL; }
#define NIBBLE_CHOOSE(NAME, ...) (NAME##_plain __VA_ARGS__)
#endif

template <std::size_t Width>
struct VectorOf;
template <>
struct VectorOf<4> {
  using Floats = float __attribute__((vector_size(16)));
  using Ints = int __attribute__((vector_size(16)));
};
template <>
struct VectorOf<8> {
  using Floats = float __attribute__((vector_size(32)));
  using Ints = int __attribute__((vector_size(32)));
};
template <>
struct VectorOf<16> {
  using Floats = float __attribute__((vector_size(64)));
  using Ints = int __attribute__((vector_size(64)));
};

// The border between two neighbouring levels belongs to the higher one.
constexpr std::size_t uneven_code(float steps) {
  std::size_t code = 0;
  while (code < 15 && steps >= (kUnevenLevels[code] + kUnevenLevels[code + 1]) / 2) ++code;
  return code;
}

// From one multiple of one half to the next the nearest level is the same.
struct UnevenCells {
  std::array<float, 481> level{}, code{};
};
inline constexpr UnevenCells kCells = [] {
  UnevenCells cells;
  for (std::size_t i = 0; i < cells.level.size(); ++i) {
    const std::size_t code = uneven_code(UnevenLevels::kLowest + static_cast<float>(i) / 2);
    cells.level[i] = kUnevenLevels[code];
    cells.code[i] = static_cast<float>(code);
  }
  return cells;
}();

// A stretch of 8 holds one border at most, and 32 stretches are looked up by one instruction.
struct UnevenStretches {
  alignas(64) std::array<float, 32> border{}, code{}, below{}, above{};
};
inline constexpr UnevenStretches kStretches = [] {
  UnevenStretches all;
  for (std::size_t s = 0; s < 32; ++s) {
    const std::size_t code = uneven_code(UnevenLevels::kLowest + 8 * static_cast<float>(s));
    const std::size_t next = code < 15 ? code + 1 : code;
    all.border[s] = (kUnevenLevels[code] + kUnevenLevels[next]) / 2;
    all.code[s] = static_cast<float>(code);
    all.below[s] = kUnevenLevels[code];
    all.above[s] = kUnevenLevels[next];
  }
  return all;
}();

template <std::size_t Width>
struct Wide {
  using Floats = typename VectorOf<Width>::Floats;
  using Ints = typename VectorOf<Width>::Ints;

  static NIBBLE_INLINE Floats load(const float* from) {
    Floats values;
    std::memcpy(&values, from, sizeof(values));
    return values;
  }
  static NIBBLE_INLINE Floats load(const OfGroups& of, std::size_t at) {
    return load(of.data() + at);
  }
  static NIBBLE_INLINE void store(Floats values, OfGroups& to, std::size_t at) {
    std::memcpy(to.data() + at, &values, sizeof(values));
  }

  static NIBBLE_INLINE Floats inverse_of(Floats scales) {
    const Floats size = scales < 0 ? -scales : scales;
    return size > kLeastScale ? 1 / scales : Floats{};
  }

  static NIBBLE_INLINE Floats inside(Floats values, float lowest, float highest) {
    const Floats low = lowest - Floats{}, high = highest - Floats{};
    const Floats above = values < low ? low : values;
    return high < above ? high : above;
  }

  static NIBBLE_INLINE Floats nearest(const EvenLevels& levels, Floats steps) {
    const auto low = static_cast<float>(levels.lowest), high = static_cast<float>(levels.highest);
    return (inside(steps, low, high) + 0x1.8p23f) - 0x1.8p23f;
  }
  static NIBBLE_INLINE Ints code(const EvenLevels& levels, Floats steps) {
    return __builtin_convertvector(nearest(levels, steps), Ints) - levels.lowest;
  }

  static NIBBLE_INLINE Floats nearest(const UnevenLevels&, Floats steps) {
    const Floats within = inside(steps, UnevenLevels::kLowest, UnevenLevels::kHighest);
    if constexpr (!kPermutes) return of_cell(kCells.level, within);
    const Ints stretch = stretch_of(within);
    const Floats below = permuted(kStretches.below, stretch);
    const Floats border = permuted(kStretches.border, stretch);
    return within < border ? below : permuted(kStretches.above, stretch);
  }
  static NIBBLE_INLINE Ints code(const UnevenLevels&, Floats steps) {
    const Floats within = inside(steps, UnevenLevels::kLowest, UnevenLevels::kHighest);
    return __builtin_convertvector(of_cell(kCells.code, within), Ints);
  }

 private:
#if defined(__clang__)  // has no shuffle by a variable
  static constexpr bool kPermutes = false;
  static Floats permuted(const std::array<float, 32>& table, Ints places);
#else
  static constexpr bool kPermutes = Width == 16;
  static NIBBLE_INLINE Floats permuted(const std::array<float, 32>& table, Ints places) {
    return __builtin_shuffle(load(table.data()), load(table.data() + Width), places);
  }
#endif

  static NIBBLE_INLINE Ints stretch_of(Floats within) {
    return __builtin_convertvector((within - UnevenLevels::kLowest) * 0.125f, Ints);
  }
  static NIBBLE_INLINE Floats of_cell(const std::array<float, 481>& table, Floats within) {
    const auto cells = __builtin_convertvector((within - UnevenLevels::kLowest) * 2, Ints);
    Floats values;
    for (std::size_t k = 0; k < Width; ++k) values[k] = table[static_cast<std::size_t>(cells[k])];
    return values;
  }
};

}  // namespace nibble::block_formats
