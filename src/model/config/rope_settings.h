// What config.json says of rotary position embedding, in the forms of transformers 4
// (rope_theta, rope_scaling) and 5 (rope_parameters), or in both at once.
#pragma once

#include "model/spec.h"

namespace nibble {

// Fills the ropes of layers without and with a window, without their frequencies. Throws
// kUnsupported for a kind of scaling that is not known, by name: nothing runs unscaled instead.
void read_ropes(const Json& config, const ModelSpec& spec, HyperParams& hyper);

}  // namespace nibble
