// A layer of codes as a method just chose them.
#pragma once

#include <memory>
#include <vector>

#include "formats/codes.h"
#include "nn/linear.h"

namespace nibble {

// Packed where a run-time format holds such codes, otherwise decoded for every product.
std::unique_ptr<Linear> codes_linear(const Codes& codes, std::vector<float> bias = {});

}  // namespace nibble
