// What stands before the data of a GGUF file, checked against every rule of the format.
//
//   file:  "GGUF" | version uint32 | tensors int64 | pairs int64 | pairs | infos | padding | data
//   info:  name | dimensions uint32 | sizes int64[], the contiguous one first | type uint32 |
//          offset uint64 in the data
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/gguf_metadata.h"
#include "nibble/checkpoint.h"

namespace nibble {

struct GgufHeader {
  static constexpr std::uint64_t kMaxTensors = 1'048'576;
  static constexpr std::uint64_t kMaxName = 256;
  static constexpr std::uint32_t kMaxDimensions = 4;
  static constexpr std::uint32_t kMinAlignment = 8, kMaxAlignment = 1 << 20;

  GgufMetadata metadata;
  std::vector<TensorInfo> tensors;     // sorted by name; sizes in Hugging Face's order
  std::vector<std::uint64_t> offsets;  // of each tensor, from the start of the file
  std::vector<std::string> warnings;
};

// `file` must outlive the result. Throws kCorruptFile; kUnsupported for versions, byte orders and
// tensor types that are not read.
GgufHeader read_gguf_header(std::span<const std::byte> file);

}  // namespace nibble
