// Products of panels with AVX2, half a panel at a time.
#include "kernels/avx2/byte_products.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kPartsAtOnce = 1;
constexpr size_t kAhead = 2048;   // bytes of codes fetched before they are read
constexpr size_t kEightFrom = 0;  // sums of eight rows of x do not fit into the registers

// A number that all lanes share.
using Shared = Floats;
inline Shared shared(float value) { return all(value); }
inline void add_to(Shared* sum, float a, float b) { *sum = add(*sum, all(a * b)); }

// Σ (code − Offset)·x over steps [First, Last); `sum`: that of x.
template <int Bits, int Offset, int First, int Last>
inline Floats dot(const Codes* steps, const int8_t* x, int32_t sum) {
  Ints found = all_ints(Bits == 8 ? 0 : -Offset * sum);
  constexpr int kRun = kRunOf<Bits> < Last - First ? kRunOf<Bits> : Last - First;
#pragma GCC unroll 8
  for (int k = First; k < Last; k += kRun) {
    __m256i run = byte_products<Bits>(steps[k], four_bytes(x + 4 * k));
#pragma GCC unroll 8
    for (int i = k + 1; i < k + kRun; ++i)
      run = _mm256_add_epi16(run, byte_products<Bits>(steps[i], four_bytes(x + 4 * i)));
    found = add_pairs(found, run);
  }
  return to_floats(found);
}

}  // namespace
}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/panel_product.h"
