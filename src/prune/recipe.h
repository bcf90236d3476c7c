// What a pruning job was asked for, as a recipe that quantize_block walks.
#pragma once

#include "model/source.h"
#include "prune/prune.h"
#include "quantize/recipe.h"

namespace nibble {

// Throws kInvalidArgument: options that contradict each other, a share that is none, a setting or
// text that nobody would read.
void check_options(const PruneOptions& options);

// Modules with a method of src/prune and nothing of codes. `options` were checked; `type`: what
// weights are rounded to. Throws kInvalidArgument for a pattern that does not divide a row.
Recipe prune_recipe(const ModelSource& source, const PruneOptions& options,
                    const Structure& structure, std::string_view type);

}  // namespace nibble
