// The proof that a GGUF file's lists say what a tokenizer.json says.
#pragma once

#include <cstddef>

#include "checkpoint/gguf_vocabulary.h"
#include "nibble/tokenizer.h"

namespace nibble {

// Encodes and decodes a collection of texts, every piece of the vocabulary and every added token
// with both. Throws kUnsupported showing the first text that becomes other tokens, and what
// tokenizer_from_gguf throws.
void check_same_tokens(const Tokenizer& tokenizer, const GgufVocabulary& vocabulary);

// The same the other way round: `json` was made of the lists. Throws kUnsupported showing the first
// text that the tokenizer.json reads otherwise.
void check_same_tokens_as_lists(const Tokenizer& json, const GgufVocabulary& vocabulary);

// How many of these texts, vocabulary aside, become the same tokens.
std::size_t same_texts(const Tokenizer& tokenizer, const GgufVocabulary& vocabulary);

}  // namespace nibble
