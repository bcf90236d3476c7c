#include "quantize/types/planned_tensor.h"

namespace nibble {

TensorInfo PlannedTensor::info() const {
  return {name,
          type.blocks != nullptr ? DType::kU8 : type.dtype,
          {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)},
          rows * (columns / type.block() * type.block_bytes()),
          type.blocks};
}

GgufPart gguf_part_of(Role role) {
  switch (role) {
    case Role::kQuery:
      return GgufPart::kQuery;
    case Role::kKey:
      return GgufPart::kKey;
    case Role::kValue:
      return GgufPart::kValue;
    case Role::kOutput:
      return GgufPart::kAttentionOutput;
    case Role::kGate:
      return GgufPart::kGate;
    case Role::kUp:
      return GgufPart::kUp;
    case Role::kDown:
      break;
  }
  return GgufPart::kDown;
}

}  // namespace nibble
