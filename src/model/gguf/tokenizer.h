// The tokenizer that a GGUF file's metadata describes.
#pragma once

#include <memory>

#include "checkpoint/gguf_vocabulary.h"
#include "nibble/tokenizer.h"
#include "tokenizer/special_names.h"
#include "tokenizer/tokenizer_file.h"

namespace nibble {

// What the lists mean, in the words of a tokenizer.json and of the file beside it.
struct DescribedTokenizer {
  tokenizer::TokenizerFile file;
  tokenizer::SpecialNames names;
};
// Throws what tokenizer_from_gguf throws.
DescribedTokenizer describe_gguf_tokenizer(GgufVocabulary vocabulary);

// Throws kUnsupported for a kind or a pre-tokenizer that is not known here, and kCorruptFile for
// lists that contradict each other.
std::unique_ptr<Tokenizer> tokenizer_from_gguf(GgufVocabulary vocabulary);

}  // namespace nibble
