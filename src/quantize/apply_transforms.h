// Transforms of one block, before any of its layers is quantized.
#pragma once

#include <vector>

#include "model/float_block.h"
#include "quantize/calibration/input_statistics.h"
#include "quantize/calibration/samples.h"
#include "quantize/recipe.h"

namespace nibble {

struct Transformed {
  std::vector<FloatBlock::Change> changes;  // tensors that are no longer the source's
  std::vector<std::string> notes;
};

// Runs the samples through the block as it is, for the moments of all its inputs, then applies the
// recipe's transforms and leaves the changed layers in `block`. `samples` may be null; `inputs`
// then, if not null, is what is known of them, and becomes that of the transformed block's.
Transformed apply_transforms(const ModelSource& source, Block& block, const Recipe& recipe,
                             Compute compute, const Samples* samples,
                             StageInputs* inputs = nullptr);

}  // namespace nibble
