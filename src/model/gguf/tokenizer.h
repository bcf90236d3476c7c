// The tokenizer that a GGUF file's metadata describes.
#pragma once

#include <memory>

#include "checkpoint/gguf_vocabulary.h"
#include "nibble/tokenizer.h"

namespace nibble {

// Throws kUnsupported for a kind or a pre-tokenizer that is not known here, and kCorruptFile for
// lists that contradict each other.
std::unique_ptr<Tokenizer> tokenizer_from_gguf(GgufVocabulary vocabulary);

}  // namespace nibble
