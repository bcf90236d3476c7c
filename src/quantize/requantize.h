// Sources whose tensors are blocks already, as those of GGUF files may be.
#pragma once

#include "quantize/recipe.h"

namespace nibble {

// Takes out of the recipe what has its wanted type already: those tensors go over as they are. What
// else is in blocks would be decoded and rounded a second time: throws kUnsupported naming the
// first, unless `options.allow_requantize`. In a folder, which holds no blocks, such tensors that
// nothing quantizes become F16. Throws kInvalidArgument where nothing is left to do, and where a
// transform would have to change blocks that stay.
void settle_blocks(const ModelSource& source, const QuantizeOptions& options, Recipe& recipe);

// Names and types of the source's matrices in blocks that the recipe leaves as they are.
std::vector<PlannedTensor> kept_blocks(const ModelSource& source, const Recipe& recipe);

}  // namespace nibble
