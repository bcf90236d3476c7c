// The large integer product with NEON: a panel as four quarters, times tiles of four rows of x.
#include "kernels/neon/codes.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kGemmPanels = 1;
// Codes below 128 are multiplied alike.
template <int Bits>
constexpr int kGemmBits = Bits == 8 ? 8 : 4;
template <int Bits>
constexpr bool kSignedBytes = Bits == 8;

// Adds Σ code·x of one block to `sum`. Eight bits: 128 is taken off the codes.
template <int Bits>
inline void block_sums(const uint8_t* codes, size_t, const int8_t* in,
                       Ints (&sum)[4][kGemmColumns]) {
  // Unrolled, GCC loads ahead until the sums no longer fit into the registers.
#pragma GCC unroll 1
  for (int k = 0; k < 8; ++k) {
    const int8x16_t x = vld1q_s8(in + 16 * k);
    for (int q = 0; q < 4; ++q) {
      const Codes stored = load(codes + 64 * k + 16 * q);
      const int8x16_t w = vreinterpretq_s8_u8(kSignedBytes<Bits> ? centred(stored) : stored);
      sum[q][0] = vdotq_laneq_s32(sum[q][0], w, x, 0);
      sum[q][1] = vdotq_laneq_s32(sum[q][1], w, x, 1);
      sum[q][2] = vdotq_laneq_s32(sum[q][2], w, x, 2);
      sum[q][3] = vdotq_laneq_s32(sum[q][3], w, x, 3);
    }
  }
}

// Sixteen codes; returns their sum.
inline int32_t store_bytes(int8_t* codes, const Ints* v) {
  const int16x8_t low = vcombine_s16(vqmovn_s32(v[0]), vqmovn_s32(v[1]));
  const int16x8_t high = vcombine_s16(vqmovn_s32(v[2]), vqmovn_s32(v[3]));
  const int8x16_t bytes = vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
  vst1q_s8(codes, bytes);
  return vaddlvq_s8(bytes);
}

}  // namespace

size_t spin_int8(size_t rounds) {
  constexpr int kSums = 16;
  int32x4_t sum[kSums];
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(1);
  for (int32x4_t& one : sum) one = vdupq_n_s32(0);
  for (size_t i = 0; i < rounds; ++i) {
    NIBBLE_OPAQUE(a);
    NIBBLE_OPAQUE(b);
    for (int32x4_t& one : sum) one = vdotq_s32(one, a, b);
  }
  for (int i = 1; i < kSums; ++i) sum[0] = vaddq_s32(sum[0], sum[i]);
  volatile int32_t kept = vaddvq_s32(sum[0]);
  (void)kept;
  return rounds * kSums * 16;
}

}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/gemm.h"
