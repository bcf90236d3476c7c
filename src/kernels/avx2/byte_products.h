// Products of bytes with AVX2: two at a time are added in 16 bits, where those of codes of few bits
// add up before they are widened. `Bits`: codes are below 2^Bits; 8: signed, 128 taken off.
#pragma once

#include "kernels/avx2/codes.h"

namespace nibble::NIBBLE_ISA {

// How many sums of products fit into 16 bits.
template <int Bits>
inline constexpr int kRunOf = Bits <= 4   ? 8
                              : Bits == 5 ? 4
                              : Bits == 6 ? 2
                                          : 1;

// Products of codes with four bytes of x, pairs added.
template <int Bits>
inline __m256i byte_products(Codes codes, Codes four) {
  if constexpr (Bits < 8) return _mm256_maddubs_epi16(codes, four);
  const Codes code = centred(codes);
  return _mm256_maddubs_epi16(_mm256_abs_epi8(code), _mm256_sign_epi8(four, code));
}

// `sum` + the pairs of sums of 16 bits.
inline Ints add_pairs(Ints sum, __m256i run) {
  return add_ints(sum, _mm256_madd_epi16(run, _mm256_set1_epi16(1)));
}

}  // namespace nibble::NIBBLE_ISA
