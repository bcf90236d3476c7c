// The tokenizer of a model, wherever the model keeps it: tokenizer.json, or a GGUF file itself.
#pragma once

#include <filesystem>
#include <memory>

#include "nibble/tokenizer.h"

namespace nibble {

// `model`: a folder, a tokenizer.json, or a file of weights. A tokenizer.json beside a GGUF file
// comes first when it has the same tokens: it says more exactly how text is cut.
// Throws what Tokenizer::open and read_gguf_vocabulary throw.
std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& model);

}  // namespace nibble
