// Weights as packed codes, for float arithmetic: a vectorised product for few tokens, tiles decoded
// into a dense product for many.
#pragma once

#include <vector>

#include "formats/format.h"
#include "nn/linear.h"

namespace nibble {

// Is there a product that reads codes of this grid as they are? Others are decoded for each.
bool has_kernels(const Grid& grid);

std::unique_ptr<Linear> packed_linear(PackedMatrix weights, std::vector<float> bias = {});

}  // namespace nibble
