// Several layers with one input in one parallel loop: fewer waits of threads for each other, and no
// whole intermediate matrix between a gate and what it gates.
#pragma once

#include <span>

#include "nn/linear.h"

namespace nibble {

struct LayerOutput {
  const Linear* layer;
  Matrix y;
};
// Each layer's forward(x, y).
void forward_together(std::span<const LayerOutput> layers, const LayerInput& x, Compute compute);

// out[i] = activation of gate[i] · up[i], for `count` values; out may be gate.
using GatedActivation = void (*)(const float* gate, const float* up, float* out, std::size_t count);
// out = activation(gate's forward(x)) · up's forward(x)
void forward_gated(const Linear& gate, const Linear& up, GatedActivation activation,
                   const LayerInput& x, Matrix out, Compute compute);

}  // namespace nibble
