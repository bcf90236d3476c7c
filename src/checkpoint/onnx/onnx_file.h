// The bytes of a .onnx file: the graph, and where its tensors lie in the file beside it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/onnx/onnx_model.h"

namespace nibble {

struct OnnxPlace {  // of a tensor in the data file
  TensorInfo info;
  std::uint64_t offset = 0;  // bytes
};

// Throws kUnsupported for a tensor type that ONNX has no number for.
std::string onnx_file(const OnnxModel& model, std::span<const OnnxPlace> places,
                      std::string_view data_file);

}  // namespace nibble
