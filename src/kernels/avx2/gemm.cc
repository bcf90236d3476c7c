// The large integer product with AVX2: a panel as two halves, times tiles of three rows of x.
#include "kernels/avx2/byte_products.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kGemmPanels = 1;
// How codes below 2^Bits are multiplied.
template <int Bits>
constexpr int kGemmBits = Bits;
template <int Bits>
constexpr bool kSignedBytes = Bits == 8;

// Adds Σ code·x of one block to `sum`.
template <int Bits>
inline void block_sums(const uint8_t* codes, size_t, const int8_t* in,
                       Ints (&sum)[2][kGemmColumns]) {
  constexpr int kRun = kRunOf<Bits>;
#pragma GCC unroll 8
  for (int k = 0; k < 8; k += kRun) {
    __m256i part[2][kGemmColumns];
#pragma GCC unroll 8
    for (int i = 0; i < kRun; ++i) {
      const Codes w0 = load(codes + 64 * (k + i)), w1 = load(codes + 64 * (k + i) + 32);
      for (size_t c = 0; c < kGemmColumns; ++c) {
        const Codes four = four_bytes(in + 4 * (static_cast<size_t>(k + i) * kGemmColumns + c));
        const __m256i p0 = byte_products<Bits>(w0, four), p1 = byte_products<Bits>(w1, four);
        part[0][c] = i == 0 ? p0 : _mm256_add_epi16(part[0][c], p0);
        part[1][c] = i == 0 ? p1 : _mm256_add_epi16(part[1][c], p1);
      }
    }
    for (int half = 0; half < 2; ++half)
      for (size_t c = 0; c < kGemmColumns; ++c)
        sum[half][c] = add_pairs(sum[half][c], part[half][c]);
  }
}

// Sixteen codes; returns their sum.
inline int32_t store_bytes(int8_t* codes, const Ints* v) {
  // Packing works inside 128 bits; the permutation puts the order right.
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(v[0], v[1]), 0xD8);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), bytes);
  int32_t lanes[kLanes], sum = 0;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), add_ints(v[0], v[1]));
  for (const int32_t lane : lanes) sum += lane;
  return sum;
}

}  // namespace

// Two products of bytes are added in 16 bits before they are widened: the best for codes of up to
// six bits.
size_t spin_int8(size_t rounds) {
  constexpr int kSums = 6;
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[kSums], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(1);
  for (__m256i& one : sum) one = _mm256_setzero_si256();
  for (size_t i = 0; i < rounds; ++i) {
    NIBBLE_OPAQUE(a);
    NIBBLE_OPAQUE(b);
    for (__m256i& one : sum) {
      const __m256i first = _mm256_maddubs_epi16(a, b);
      NIBBLE_OPAQUE(a);
      const __m256i both = _mm256_add_epi16(first, _mm256_maddubs_epi16(b, a));
      one = _mm256_add_epi32(one, _mm256_madd_epi16(both, ones));
    }
  }
  int32_t lanes[8];
  for (int i = 1; i < kSums; ++i) sum[0] = _mm256_add_epi32(sum[0], sum[i]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), sum[0]);
  volatile int32_t kept = lanes[0];
  (void)kept;
  return rounds * kSums * 64;
}

}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/gemm.h"
