// The gradients of a low-rank addition: of A, B and, where it has one, the magnitude.
#pragma once

#include <span>

#include "nn/lora_linear.h"
#include "train/gradients.h"

namespace nibble {

class LoraGradient final : public LayerGradient {
 public:
  // a, b, magnitude: added to; in the shapes of the layer's. The lengths of DoRA's rows count as
  // constants, as in the paper (section 4.3) and in PEFT.
  LoraGradient(const LoraLinear& layer, Matrix a, Matrix b, std::span<float> magnitude)
      : layer_(layer), a_(a), b_(b), magnitude_(magnitude) {}
  void add(ConstMatrix x, ConstMatrix dy, Compute compute) override;

 private:
  const LoraLinear& layer_;
  Matrix a_, b_;
  std::span<float> magnitude_;
};

}  // namespace nibble
