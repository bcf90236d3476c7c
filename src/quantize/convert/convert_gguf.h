// A GGUF file as another one, or as a Hugging Face folder: every tensor as it is.
#pragma once

#include <filesystem>

#include "quantize/convert/convert.h"

namespace nibble {

// Is it a GGUF model, or a folder that holds nothing else? False for what cannot be opened.
bool opens_as_gguf(const std::filesystem::path& model);

// `model` is a GGUF model. Into NAME.gguf all tensors and pairs go over as they are, quantized or
// not, in parts where the options ask for them. Into a folder go F32, F16 and BF16 tensors, with
// config.json, tokenizer and settings from the metadata. Every weight is read back and compared.
// Throws kUnsupported naming the first quantized tensor, what folder_of_gguf throws, and what
// create_gguf and create_plain_folder throw.
ConvertResult convert_gguf(const std::filesystem::path& model, const std::filesystem::path& output,
                           const ConvertOptions& options, const ProgressSink& progress,
                           const LogSink& log);

}  // namespace nibble
