// What the codes of a block stand for, 16 rows at a time.
#pragma once

#include "kernels/amx/intrinsics.h"
#include "kernels/avx512/codes.h"
// the text:
#include "kernels/vector/panel_codes.h"

namespace nibble::NIBBLE_ISA {

// weight = scale · (code − offset) + low
struct Line {
  __m512 scale, low;
};

// Whether half blocks have scales of their own.
constexpr bool by_halves(PanelScales scales) { return scales == kSuper16 || scales == kSuper16Min; }
constexpr bool has_lows(PanelScales scales) {
  return scales == kGroupZero || scales == kGroupMin || scales == kSuper32Min ||
         scales == kSuper16Min;
}

// Block b of a unit; `second` differs from `first` where by_halves().
template <PanelScales Scales>
inline void lines(const uint8_t* unit, size_t b, Line* first, Line* second) {
  const __m512 zero = _mm512_setzero_ps(), d = halves(unit);
  [[maybe_unused]] __m512 m = zero;
  if constexpr (has_lows(Scales)) m = halves(unit + 32);
  if constexpr (Scales == kGroup) *first = {d, zero};
  if constexpr (Scales == kGroupZero) *first = {d, _mm512_fnmadd_ps(d, m, zero)};
  if constexpr (Scales == kGroupMin) *first = {d, m};
  if constexpr (Scales == kSuper32)
    *first = {_mm512_mul_ps(d, signed_bytes(unit + 32 + 16 * b)), zero};
  if constexpr (Scales == kSuper32Min)
    *first = {_mm512_mul_ps(d, unsigned_bytes(unit + 64 + 16 * b)),
              _mm512_fnmadd_ps(m, unsigned_bytes(unit + 64 + 128 + 16 * b), zero)};
  *second = *first;
  if constexpr (Scales == kSuper16) {
    const uint8_t* scales = unit + 32 + 32 * b;
    *first = {_mm512_mul_ps(d, signed_bytes(scales)), zero};
    *second = {_mm512_mul_ps(d, signed_bytes(scales + 16)), zero};
  }
  if constexpr (Scales == kSuper16Min) {
    const auto half = [&](const uint8_t* both) -> Line {
      return {_mm512_mul_ps(d, low_nibbles(both)), _mm512_fnmadd_ps(m, high_nibbles(both), zero)};
    };
    *first = half(unit + 64 + 32 * b);
    *second = half(unit + 64 + 32 * b + 16);
  }
}

}  // namespace nibble::NIBBLE_ISA
