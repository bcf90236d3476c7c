// A quantized model on its way to the disk, in the form that its layout has: a folder of shards,
// settings and tokenizer, or a single file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/gguf_model.h"
#include "checkpoint/onnx/onnx_model.h"
#include "nibble/checkpoint.h"

namespace nibble {

struct SideFile {  // of a folder, beside the weights
  std::string name, text;
};

// What is known of a model before its first tensor.
struct OutputModel {
  std::vector<std::filesystem::path> inputs;  // files and folders that must stay as they are
  // The original's folder: its tokenizer files are carried over. Empty where it has none.
  std::filesystem::path source;
  std::vector<SideFile> side_files = {};  // those that a folder gets in their place
  const Json* config = nullptr;           // config.json of the original; lives as long as this
  // Of the output, under the original's names, in the order they shall lie.
  std::vector<TensorInfo> tensors;
  std::uint64_t passport_bytes = 0;  // about how long the passport will be
  // What a GGUF file says besides. Only layouts of that kind call it; throws kUnsupported when such
  // a file cannot say what this model is.
  std::function<GgufModel()> gguf;
  // The same for an ONNX file, whose layout says how a product with a matrix is written.
  std::function<OnnxModel(const OnnxProduct& product)> onnx = {};
};

struct OutputOptions {
  bool replace = false;  // an existing output, when the new one is complete
  std::uint64_t max_shard_bytes = 5'000'000'000;
  // Of the tensors in one part of a single file; 0: it is never cut.
  std::uint64_t max_part_bytes = 0;
};

class ModelWriter {
 public:
  virtual ~ModelWriter() = default;  // without finish(): nothing is left behind
  // The bytes of one of the announced tensors, each once.
  virtual void add(std::string_view name, std::span<const std::byte> bytes) = 0;
  // A folder for what is large and need not last.
  virtual std::filesystem::path scratch() const = 0;
  // What to open once the output is there: a folder, a file or the first of its parts.
  virtual std::filesystem::path path() const = 0;
  // Now the output is there, complete, under its name. The passport tells how it was made.
  virtual void finish(const Json& passport) = 0;
};

inline constexpr const char* kPassportName = "nibble.json";     // in a folder
inline constexpr const char* kPassportKey = "nibble.passport";  // in a GGUF file

}  // namespace nibble
