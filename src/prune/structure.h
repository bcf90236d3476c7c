// Pruning that makes matrices smaller: heads and MLP channels that go as a whole, equally many in
// every layer, since config.json has one number for all.
#pragma once

#include <cstddef>
#include <optional>

#include "base/json.h"
#include "model/spec.h"
#include "quantize/options.h"

namespace nibble {

// Columns of a matrix in `sections` of equal width, of which each loses equally many units of
// `unit` neighbouring columns.
struct UnitChoice {
  std::size_t sections = 1, unit = 1;
  std::size_t kept = 0;  // units in each section
};

struct Structure {
  std::optional<UnitChoice> heads;                            // of the inputs of o_proj
  std::optional<UnitChoice> channels;                         // of the inputs of down_proj
  std::size_t query_heads = 0, kv_heads = 0, mlp_hidden = 0;  // of the smaller model
};

// `heads`, `channels`: shares that go; 0: none. Query heads that share a key go together with it,
// unless taking equally many from every such group comes closer to the share. Channels that stay
// are a multiple of 32 where the width allows it. Throws kInvalidArgument where nothing would go,
// or nothing stay.
Structure structure_of(const HyperParams& hyper, double heads, double channels);

// The same model's config.json with the new sizes.
Json smaller_config(Json config, const HyperParams& hyper, const Structure& structure);

}  // namespace nibble
