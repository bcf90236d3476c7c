// The tokenizer of a model folder for a GGUF file: what model/gguf/tokenizer.h reads, written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/gguf_vocabulary.h"

namespace nibble {

// The tokenizer of a Hugging Face folder as the lists that a GGUF file keeps. `rows`: of the
// embedding; ids without a token are filled up as "[PAD<id>]" of type unused.
//
// The result is proved to give the same tokens (same_tokens.h) before it is returned. Throws
// kUnsupported naming what has no counterpart in GGUF: another model than BPE over bytes or with
// byte fallback, normalizers, pre-tokenizers, decoders, settings of added tokens, more ids than
// rows. Throws kNotFound without a tokenizer.json, kCorruptFile.
//
// With `differences`, what has no counterpart is left out and told there instead, and the cuts are
// those with a name that differ least. The model, its pieces and rows stay as strict.
GgufVocabulary gguf_vocabulary_of(const std::filesystem::path& folder, std::size_t rows,
                                  std::vector<std::string>* differences = nullptr);

}  // namespace nibble
