// The tokenizer of a model, wherever the model keeps it: tokenizer.json, or a GGUF file itself.
#pragma once

#include <filesystem>
#include <memory>

#include "checkpoint/gguf_vocabulary.h"
#include "nibble/tokenizer.h"

namespace nibble {

// `model`: a folder, a tokenizer.json, or a file of weights. A tokenizer.json beside a GGUF file
// comes first when it has the same tokens: it says more exactly how text is cut.
// Throws what Tokenizer::open and read_gguf_vocabulary throw.
std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& model);

// The tokenizer.json beside the GGUF file `file` where it comes first, else empty. `vocabulary` is
// what the file says. Throws what Tokenizer::open throws.
std::filesystem::path tokenizer_beside(const std::filesystem::path& file,
                                       const GgufVocabulary& vocabulary);

}  // namespace nibble
