// The model of a tokenizer: which tokens one piece of text becomes.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "tokenizer/postprocessors/postprocessor.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace nibble::tokenizer {

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the ids of `piece` (well-formed UTF-8, not empty) to `ids`. `words` remembers what this
  // model found during one call of the tokenizer.
  virtual void encode(std::string_view piece, WordCache& words, Ids& ids) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
};

// How a kind of model is read. `recognises`: for files of the time before "type" was written.
struct TokenModelKind {
  std::string_view type;
  bool (*recognises)(const TokenizerFile& file) = nullptr;
  std::unique_ptr<TokenModel> (*read)(TokenizerFile&& file) = nullptr;
};

std::span<const TokenModelKind* const> token_models();
std::unique_ptr<TokenModel> read_token_model(TokenizerFile&& file);

}  // namespace nibble::tokenizer
