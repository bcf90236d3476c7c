// Second moments of a layer's inputs over the calibration samples, and what follows from them for
// its weights: inputs have drifted since the layers before were quantized, and weights can make up
// for part of that.
#pragma once

#include <cstddef>
#include <utility>

#include "nibble/compute.h"
#include "nibble/tensor.h"

namespace nibble {

class Moments {
 public:
  // `drift`: inputs of the original model come beside those of the quantized one.
  Moments(std::size_t columns, Compute compute, bool drift);

  // inputs, wanted [tokens, columns]; no rows of `wanted` where the drift is not followed.
  void add(ConstMatrix inputs, ConstMatrix wanted = {});
  void finish();

  // Σ x̂·x̂ᵀ / tokens, [columns, columns], both triangles.
  ConstMatrix hessian() const { return sum_.view(); }
  // The same, given away; nothing is left.
  Tensor take_hessian() { return std::move(sum_); }
  // Σ (x − x̂)·x̂ᵀ / tokens that had a wanted input, [columns, columns]; no rows when drift is not
  // followed.
  ConstMatrix drift() const { return drift_.view(); }
  void forget_drift() { drift_ = Tensor(); }

 private:
  Compute compute_;
  Tensor sum_, drift_;
  std::size_t tokens_ = 0, drift_tokens_ = 0;
};

// D = share · drift · H⁻¹ with `damping` of the mean diagonal added to H. With a share of 1, W +
// W·D is the least-squares answer to "give for x̂ what W gave for x" (QEP, arXiv 2504.09629; smaller
// shares fit the calibration text less closely). No rows when H has no inverse. [columns, columns]
Tensor drift_correction(ConstMatrix hessian, ConstMatrix drift, double damping, double share);

// weight += weight · correction
void correct_drift(Matrix weight, ConstMatrix correction);

}  // namespace nibble
