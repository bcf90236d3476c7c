// Weights as a checkpoint's layout stores them. Opening one costs nothing; prepare() makes what the
// arithmetic reads, panels for bytes and a packed matrix for floats, and lets the other go.
#pragma once

#include <memory>
#include <vector>

#include "formats/stored_codes.h"
#include "nn/linear.h"

namespace nibble {

// The size from which LLM.int8 takes inputs for outliers, where nothing says another.
inline constexpr float kOutlierThreshold = 6;

// Unprepared it decodes its weights for every product. Throws what slot_order throws.
std::unique_ptr<Linear> stored_linear(std::unique_ptr<StoredCodes> codes,
                                      std::vector<float> bias = {},
                                      float outlier_threshold = kOutlierThreshold);

}  // namespace nibble
