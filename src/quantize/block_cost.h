// What quantizing one block costs.
#pragma once

#include <cstddef>

#include "model/spec.h"

namespace nibble {

// Floating-point operations that quantize_block spends on one block.
struct BlockCost {
  double forward = 0;   // of the samples, through original and quantized layers
  double hessian = 0;   // moments of each stage's inputs
  double solve = 0;     // factors of Hessians, in double
  double products = 0;  // with the Hessian: drift, error feedback, polishing, measuring
};
// `followed`: tokens whose original activations are followed too. `polished`: after the error
// feedback codes are improved by coordinate descent.
BlockCost block_cost(const HyperParams& hyper, std::size_t tokens, std::size_t followed,
                     std::size_t length, bool hessian, bool polished);

// Of one layer of rows x columns, with a Hessian and without drift.
struct ModuleCost {
  double solve = 0, products = 0;  // as above
};
ModuleCost module_cost(double rows, double columns, bool polished);

}  // namespace nibble
