// A model as a GGUF file will hold it: what it says, and how each tensor is named and turned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/gguf_pairs.h"
#include "nibble/checkpoint.h"

namespace nibble {

struct GgufTensor {
  std::string source;                 // its name in the original
  TensorInfo original;                // as its bytes come
  TensorInfo info;                    // as the file has it: name, type, the same shape
  std::vector<std::uint32_t> row_of;  // where each row goes; empty: rows stay in order
  float added = 0;                    // to every number
};

struct GgufModel {
  GgufPairs pairs;
  std::uint64_t alignment = 32;  // of tensors, a power of two; the pairs say it where it is not 32
  std::vector<GgufTensor> tensors;  // in file order
  struct Own {                      // made for the file
    TensorInfo info;
    std::vector<std::byte> bytes;
  };
  std::vector<Own> own;
  // Tensors of the original that the file does without: a head that is the embedding.
  std::vector<std::string> left_out;
};

}  // namespace nibble
