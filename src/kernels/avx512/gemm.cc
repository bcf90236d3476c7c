// The large integer product with AVX-512: two panels at a time, times tiles of six rows of x.
// Twelve sums of bytes and twelve of floats stay in registers.
#include "kernels/avx512/codes.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kGemmPanels = 2;
// Codes of all bits are multiplied alike.
template <int>
constexpr int kGemmBits = 8;
template <int>
constexpr bool kSignedBytes = false;

// Adds Σ code·x of one block to `sum`.
template <int, size_t Panels>
inline void block_sums(const uint8_t* codes, size_t panel_bytes, const int8_t* in,
                       Ints (&sum)[Panels][kGemmColumns]) {
#pragma GCC unroll 8
  for (size_t k = 0; k < 8; ++k) {
    Codes weights[Panels];
    for (size_t p = 0; p < Panels; ++p) weights[p] = load(codes + p * panel_bytes + 64 * k);
    for (size_t c = 0; c < kGemmColumns; ++c) {
      const Codes four = four_bytes(in + 4 * (k * kGemmColumns + c));
      for (size_t p = 0; p < Panels; ++p)
        sum[p][c] = _mm512_dpbusd_epi32(sum[p][c], weights[p], four);
    }
  }
}

// Sixteen codes; returns their sum.
inline int32_t store_bytes(int8_t* codes, const Ints* v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_cvtepi32_epi8(v[0]));
  return _mm512_reduce_add_epi32(v[0]);
}

}  // namespace

size_t spin_int8(size_t rounds) {
  constexpr int kSums = 12;
  __m512i sum[kSums], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1);
  for (__m512i& one : sum) one = _mm512_setzero_si512();
  for (size_t i = 0; i < rounds; ++i) {
    NIBBLE_OPAQUE(a);
    NIBBLE_OPAQUE(b);
    for (__m512i& one : sum) one = _mm512_dpbusd_epi32(one, a, b);
  }
  for (int i = 1; i < kSums; ++i) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  // One lane is enough to keep them all; their sum would not fit.
  volatile int32_t kept = _mm_cvtsi128_si32(_mm512_castsi512_si128(sum[0]));
  (void)kept;
  return rounds * kSums * 64;
}

}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/gemm.h"
