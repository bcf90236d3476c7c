// Products of panels with AVX-512, a whole panel at a time.
#include "kernels/avx512/codes.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kPartsAtOnce = 1;
constexpr size_t kAhead = 2048;   // bytes of codes fetched before they are read
constexpr size_t kEightFrom = 5;  // from so many rows on, eight at once

// A number that all lanes share.
using Shared = Floats;
inline Shared shared(float value) { return all(value); }
inline void add_to(Shared* sum, float a, float b) { *sum = add(*sum, all(a * b)); }

// Σ (code − Offset)·x over steps [First, Last); `sum`: that of x.
template <int, int Offset, int First, int Last>
inline Floats dot(const Codes* steps, const int8_t* x, int32_t sum) {
  Ints even = all_ints(-Offset * sum), odd = all_ints(0);
  for (int k = First; k < Last; k += 2) {
    even = _mm512_dpbusd_epi32(even, steps[k], four_bytes(x + 4 * k));
    odd = _mm512_dpbusd_epi32(odd, steps[k + 1], four_bytes(x + 4 * k + 4));
  }
  return to_floats(add_ints(even, odd));
}

}  // namespace
}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/panel_product.h"
