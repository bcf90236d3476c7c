// The numbers GGUF gives to the ways a tensor is stored.
#pragma once

#include <cstdint>

#include "formats/block_format.h"
#include "nibble/checkpoint.h"
#include "nibble/dtype.h"

namespace nibble {

struct GgufType {
  const BlockFormat* blocks = nullptr;  // null: plain elements
  DType dtype = DType::kU8;             // of plain elements

  std::uint64_t block() const { return blocks != nullptr ? blocks->block : 1; }
  std::uint64_t block_bytes() const {
    return blocks != nullptr ? blocks->block_bytes : static_cast<std::uint64_t>(bits(dtype)) / 8;
  }
};

// Throws kUnsupported naming the type, kCorruptFile when there is none of this number.
GgufType gguf_type(std::uint32_t number);
// The number for a tensor of such elements or blocks. Throws kUnsupported naming the type.
std::uint32_t gguf_type_number(const TensorInfo& info);

}  // namespace nibble
