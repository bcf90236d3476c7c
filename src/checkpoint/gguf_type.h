// The numbers GGUF gives to the ways a tensor is stored.
#pragma once

#include <cstdint>
#include <string_view>

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
// The type that tools call so, whatever its capitals: "Q4_K", "F16". Throws kInvalidArgument with
// the known names.
GgufType gguf_type_named(std::string_view name);
std::string_view name(const GgufType& type);
bool gguf_named_alike(std::string_view a, std::string_view b);  // capitals or not
// The number for a tensor of such elements or blocks. Throws kUnsupported naming the type.
std::uint32_t gguf_type_number(const TensorInfo& info);

}  // namespace nibble
