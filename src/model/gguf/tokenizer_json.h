// The tokenizer of a GGUF file as the files that a Hugging Face folder has for it.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/gguf_vocabulary.h"

namespace nibble {

// A tokenizer.json that cuts, merges and decodes as the lists say: for byte-level pairs and for
// SentencePiece's pieces, whose scores become merges. Compared with the lists on sample texts and
// the whole vocabulary; where pieces of equal score would merge in another order `differences` gets
// the first text that shows it. Throws kUnsupported for any other difference, for two tokens of one
// text, and what tokenizer_from_gguf throws.
std::string tokenizer_json_of(const GgufVocabulary& vocabulary,
                              std::vector<std::string>& differences);

// tokenizer_config.json: which tokens have a role, the chat template, the length of texts.
Json tokenizer_config_of(const GgufVocabulary& vocabulary, std::size_t context);

}  // namespace nibble
