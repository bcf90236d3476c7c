// Writes a folder with model.onnx, model.onnx.data, config.json, tokenizer and passport.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "checkpoint/model_writer.h"

namespace nibble {

inline constexpr std::string_view kOnnxFile = "model.onnx";

// `graph` says what is in the file; tensors of `model` that it does not mention are stored as they
// are. All tensors lie in one data file, of any size. Throws what OutputFolder and AtomicFile
// throw, and kUnsupported for types that ONNX has not.
std::unique_ptr<ModelWriter> create_onnx_folder(const std::filesystem::path& target,
                                                const OutputModel& model, OnnxModel graph,
                                                const OutputOptions& options);

}  // namespace nibble
