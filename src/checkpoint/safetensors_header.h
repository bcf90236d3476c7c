// The JSON header of a safetensors file, checked against every rule of the format.
//
//   file:  N uint64 | header, N bytes of JSON | data
//   header: {"__metadata__": {text: text}, NAME: {"dtype", "shape", "data_offsets": [begin, end]}}
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nibble/checkpoint.h"

namespace nibble {

struct SafetensorsHeader {
  static constexpr std::uint64_t kMaxBytes = 100'000'000;
  static constexpr std::size_t kMaxTensors = 1'048'576;
  static constexpr std::size_t kMaxDimensions = 8;
  static constexpr std::size_t kMaxMetadata = 65'536;

  std::vector<TensorInfo> tensors;     // sorted by name
  std::vector<std::uint64_t> offsets;  // of each tensor, from the start of the file
};

// Throws kCorruptFile; the text holds the reference implementation's name of the rule.
SafetensorsHeader read_safetensors_header(std::span<const std::byte> file);

// Elements times bits as bytes. Throws kCorruptFile (ValidationOverflow, MisalignedSlice).
std::uint64_t tensor_bytes(const TensorInfo& info);

// The header with its length in front, padded with spaces so that the data begins at a multiple of
// 8. The tensors' data lies in the order given. `metadata`: what the file says besides "format".
std::string write_safetensors_header(
    std::span<const TensorInfo> tensors,
    std::span<const std::pair<std::string, std::string>> metadata = {});

}  // namespace nibble
