// Quantizes one decoder block at a time, in the order its layers run: each layer's Hessian comes
// from inputs that already passed through the quantized layers before it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "model/block.h"
#include "quantize/activation_store.h"
#include "quantize/recipe.h"

namespace nibble {

// Activations of all samples at one place of the model.
struct Stream {
  std::unique_ptr<ActivationStore> hidden;  // [count · length, hidden]; advanced by one block
  std::unique_ptr<ActivationStore> middle;  // [count · length, widest layer input]; scratch
};

// The calibration samples on their way through the model.
struct Samples {
  std::size_t count = 0;   // windows
  std::size_t length = 0;  // tokens in a window
  Stream quantized;        // as the quantized blocks before give it
  // As the original blocks give it, for the first `followed` windows.
  Stream original;
  std::size_t followed = 0;
  std::size_t tokens() const { return count * length; }
};

// Called with each module's outcome as soon as it is there.
using ModuleDone = std::function<void(const PlannedModule& module, Outcome outcome)>;

// Replaces the planned linears of `block` by their quantized form and moves the samples' hidden
// states through it. `samples` null: no calibration, layers are quantized one after another.
// `grid_of(bits)` gives the grid for each module. Same result for any number of threads.
void quantize_block(Block& block, const Recipe& recipe, const QuantizeOptions& options,
                    Samples* samples, const ModuleDone& done);

// Floating-point operations that quantize_block spends on one block: products, Hessians, solves.
struct BlockCost {
  double forward = 0;
  double hessian = 0;
  double solve = 0;
};
// `followed`: tokens whose original activations are followed too.
BlockCost block_cost(const HyperParams& hyper, std::size_t tokens, std::size_t followed,
                     std::size_t length, bool hessian);

// Rows of activations computed together.
std::size_t chunk_windows(std::size_t length);

}  // namespace nibble
