// Options of methods that work with the Hessian of a layer's inputs.
#pragma once

#include "quantize/options.h"

namespace nibble {

extern const OptionSpec kDampingOption;       // share of the mean diagonal added to H at first
extern const OptionSpec kDriftShareOption;    // quantize/moments.h; decided by default
extern const OptionSpec kDriftSamplesOption;  // windows that show the drift; decided by default

}  // namespace nibble
