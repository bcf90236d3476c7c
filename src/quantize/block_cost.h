// What quantizing one block costs.
#pragma once

#include <cstddef>

#include "model/spec.h"

namespace nibble {

// Floating-point operations that quantize_block spends on one block: products, Hessians, solves.
struct BlockCost {
  double forward = 0;
  double hessian = 0;
  double solve = 0;
};
// `followed`: tokens whose original activations are followed too.
BlockCost block_cost(const HyperParams& hyper, std::size_t tokens, std::size_t followed,
                     std::size_t length, bool hessian);

}  // namespace nibble
