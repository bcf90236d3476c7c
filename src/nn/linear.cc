#include "nn/linear.h"

#include "kernels/kernels.h"

namespace nibble {

Compute float_compute() { return cpu_has_bfloat16() ? Compute::kBfloat16 : Compute::kFloat32; }

}  // namespace nibble
