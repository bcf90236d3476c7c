// Quantizes one decoder block at a time, in the order its layers run: each layer's Hessian comes
// from inputs that already passed through the quantized layers before it.
#pragma once

#include <functional>

#include "base/progress.h"
#include "model/block.h"
#include "quantize/calibration/input_statistics.h"
#include "quantize/calibration/samples.h"
#include "quantize/recipe.h"

namespace nibble {

// Called with each module's outcome as soon as it is there.
using ModuleDone = std::function<void(const PlannedModule& module, Outcome outcome)>;

// Replaces the planned linears of `block` by their quantized form and moves the samples' hidden
// states through it. `samples` null: no text, layers are quantized one after another, by what is
// known of the original model's `inputs` where those are not null. Same result for any number of
// threads.
void quantize_block(Block& block, const Recipe& recipe, Compute compute, Samples* samples,
                    const StageInputs* inputs, const ModuleDone& done);

}  // namespace nibble
