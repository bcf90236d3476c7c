// A matrix in its new type, found without calibration: embedding, head, and what no block fits.
#pragma once

#include <vector>

#include "model/source.h"
#include "quantize/types/planned_tensor.h"

namespace nibble {

struct StoredTensor {
  std::vector<std::byte> bytes;
  double weight_error = 0;  // ‖W − Ŵ‖² / ‖W‖²
};
StoredTensor stored_tensor(const ModelSource& source, const PlannedTensor& tensor);

}  // namespace nibble
