#include "nn/linear.h"

#include "kernels/kernels.h"

namespace nibble {

Compute float_compute() { return cpu_has_bfloat16() ? Compute::kBfloat16 : Compute::kFloat32; }

Compute float_compute(Compute wanted) {
  return wanted == Compute::kInt8 || wanted == Compute::kLlmInt8 ? float_compute() : wanted;
}

}  // namespace nibble
