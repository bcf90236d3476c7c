// Finds NaN and infinities in the float tensors of a checkpoint.
#pragma once

#include <string>
#include <vector>

#include "nibble/checkpoint.h"

namespace nibble {

struct NonFinite {
  std::string tensor;
  std::size_t count = 0;
  std::size_t first = 0;  // index of the first such value
};

// One entry for each tensor that holds any, by name.
std::vector<NonFinite> find_nonfinite(const CheckpointReader& reader);

}  // namespace nibble
