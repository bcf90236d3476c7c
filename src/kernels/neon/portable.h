// SIMDe's NEON headers, those that are used (all of them take a compiler longer than the kernels),
// and lane by lane the intrinsics that SIMDe 0.7.4 lacks. For the test build alone.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/arm/neon/abs.h>
#include <simde/arm/neon/add.h>
#include <simde/arm/neon/addlv.h>
#include <simde/arm/neon/addv.h>
#include <simde/arm/neon/and.h>
#include <simde/arm/neon/bic.h>
#include <simde/arm/neon/bsl.h>
#include <simde/arm/neon/ceq.h>
#include <simde/arm/neon/cgt.h>
#include <simde/arm/neon/clt.h>
#include <simde/arm/neon/combine.h>
#include <simde/arm/neon/cvt.h>
#include <simde/arm/neon/dot.h>
#include <simde/arm/neon/dot_lane.h>
#include <simde/arm/neon/dup_n.h>
#include <simde/arm/neon/eor.h>
#include <simde/arm/neon/fma.h>
#include <simde/arm/neon/fma_n.h>
#include <simde/arm/neon/get_high.h>
#include <simde/arm/neon/get_low.h>
#include <simde/arm/neon/ld1.h>
#include <simde/arm/neon/max.h>
#include <simde/arm/neon/maxv.h>
#include <simde/arm/neon/min.h>
#include <simde/arm/neon/movl.h>
#include <simde/arm/neon/movl_high.h>
#include <simde/arm/neon/mul.h>
#include <simde/arm/neon/mul_n.h>
#include <simde/arm/neon/orr.h>
#include <simde/arm/neon/qmovn.h>
#include <simde/arm/neon/qmovun.h>
#include <simde/arm/neon/qrdmulh.h>
#include <simde/arm/neon/qtbl.h>
#include <simde/arm/neon/reinterpret.h>
#include <simde/arm/neon/rndn.h>
#include <simde/arm/neon/shl_n.h>
#include <simde/arm/neon/shr_n.h>
#include <simde/arm/neon/shrn_n.h>
#include <simde/arm/neon/st1.h>
#include <simde/arm/neon/sub.h>
#include <simde/arm/neon/tst.h>

namespace nibble::neon_portable {

inline float32x4_t vdivq_f32(float32x4_t a, float32x4_t b) {
  float x[4], y[4];
  vst1q_f32(x, a);
  vst1q_f32(y, b);
  for (int i = 0; i < 4; ++i) x[i] /= y[i];
  return vld1q_f32(x);
}

inline float32x4_t vfmsq_f32(float32x4_t sum, float32x4_t a, float32x4_t b) {
  return vsubq_f32(sum, vmulq_f32(a, b));
}

// SIMDe has it, but not for a shift by 16.
inline uint32x4_t vshll_n_u16(uint16x4_t v, int left) {
  uint16_t from[4];
  uint32_t to[4];
  vst1_u16(from, v);
  for (int i = 0; i < 4; ++i) to[i] = uint32_t{from[i]} << left;
  return vld1q_u32(to);
}

// Nearest, ties to even; saturates, and NaN becomes 0, as the instruction has it.
inline int32x4_t vcvtnq_s32_f32(float32x4_t v) { return vcvtq_s32_f32(vrndnq_f32(v)); }

}  // namespace nibble::neon_portable
