// Products of panels with NEON, quarter after quarter of each block.
#include "kernels/neon/codes.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr size_t kPartsAtOnce = 4;
constexpr size_t kAhead = 0;  // these CPUs fetch ahead well enough
// A row more costs about as much as unpacking again: five or six are four and the rest.
constexpr size_t kEightFrom = 7;

// A number that all lanes share: a product takes it from a lane.
using Shared = float;
inline Shared shared(float value) { return value; }
inline void add_to(Shared* sum, float a, float b) { *sum += a * b; }

// `sum` + Σ code·x over the four steps of half a block.
inline Ints half_dot(Ints sum, const Codes* steps, const int8_t* from) {
  const int8x16_t x = vld1q_s8(from);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[0]), x, 0);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[1]), x, 1);
  sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[2]), x, 2);
  return vdotq_laneq_s32(sum, vreinterpretq_s8_u8(steps[3]), x, 3);
}

// Σ (code − Offset)·x over steps [First, Last); `sum`: that of x. Codes of bytes are centred.
template <int Bits, int Offset, int First, int Last>
inline Floats dot(const Codes* steps, const int8_t* x, int32_t sum) {
  Ints found = all_ints(Bits == 8 ? 0 : -Offset * sum);
  if constexpr (First == 0) found = half_dot(found, steps, x);
  if constexpr (Last == 8) found = half_dot(found, steps + 4, x + 16);
  return to_floats(found);
}

}  // namespace
}  // namespace nibble::NIBBLE_ISA

#include "kernels/vector/panel_product.h"
