// What a checkpoint says of its inputs rather than of its weights.
#pragma once

#include <optional>

#include "base/json.h"

namespace nibble {

// The size from which inputs are outliers to LLM.int8, by the quantization_config of a whole
// config.json, whatever its layout; 0: none are. Empty: it does not say. Throws kCorruptFile.
std::optional<float> outlier_threshold(const Json& config);

}  // namespace nibble
