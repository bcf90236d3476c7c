// A model as an ONNX file will hold it: the graph, and what becomes of each tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "nibble/checkpoint.h"

namespace nibble {

struct OnnxAttribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>> value;
};

struct OnnxNode {
  std::string op, domain;                    // empty domain: ONNX's own operators
  std::vector<std::string> inputs, outputs;  // empty names: left out
  std::vector<OnnxAttribute> attributes = {};
};

struct OnnxValue {  // an input or output of the graph
  std::string name;
  DType type = DType::kF32;
  std::vector<std::variant<std::int64_t, std::string>> shape;  // numbers, or names of any number
};

struct OnnxModel {
  std::vector<OnnxNode> nodes;  // each behind those that it reads
  std::vector<OnnxValue> inputs, outputs;
  // Tensors of the original that are stored as float32, and what is added to each number.
  std::map<std::string, float, std::less<>> as_float32;
  struct Own {  // made for the file
    TensorInfo info;
    std::vector<std::byte> bytes;
    bool in_graph = false;  // shapes and the like, which readers want to see without the data file
  };
  std::vector<Own> own;
  // Tensors of the original that the file does without: a head that is the embedding.
  std::vector<std::string> left_out;
  std::vector<std::pair<std::string, std::string>> files;  // beside the model: name and text
};

struct OnnxMatrix {
  std::string module;  // its tensors are called "MODULE.…"
  std::size_t rows = 0, columns = 0;
};

// Appends the nodes of `output` = `input` · Wᵀ, [batch, length, columns] -> [batch, length, rows].
using OnnxProduct = std::function<void(OnnxModel& model, const OnnxMatrix& matrix,
                                       const std::string& input, const std::string& output)>;

}  // namespace nibble
