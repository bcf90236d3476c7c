// A matrix in its new type, found without calibration: embedding, head, and what no block fits.
#pragma once

#include <span>
#include <vector>

#include "model/source.h"
#include "quantize/types/planned_tensor.h"

namespace nibble {

struct StoredTensor {
  std::vector<std::byte> bytes;
  double weight_error = 0;  // ‖W − Ŵ‖² / ‖W‖²
};
// `importance`: [columns], or empty; types that follow a rule of their own do not look at it.
StoredTensor stored_tensor(const ModelSource& source, const PlannedTensor& tensor,
                           std::span<const float> importance = {});

}  // namespace nibble
