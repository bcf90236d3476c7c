#include "train/gradients.h"

#include "nn/backward/linear_gradient.h"

namespace nibble {

void WeightGradient::add(ConstMatrix x, ConstMatrix dy, Compute) {
  add_weight_gradient(x, dy, weight_);
  if (!bias_.empty()) add_bias_gradient(dy, bias_);
}

}  // namespace nibble
