// Tokens that are cut out of the text before the model sees it: <s>, <|im_end|>, runs of blanks, …
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/phrase_matcher.h"
#include "tokenizer/vocabulary.h"

namespace nibble::tokenizer {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  std::string spelling;      // content, normalized where `normalized` says so; what decoding shows
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // takes the blanks on its left with it
  bool rstrip = false;
  bool normalized = false;  // looked for in the normalized text
  bool special = false;
};

// A part of a text: a token, or text between tokens.
struct Section {
  std::size_t begin = 0, end = 0;
  const AddedToken* token = nullptr;
};

class AddedTokens {
 public:
  // The value of "added_tokens". An id is that of the same text in the vocabulary, else the next
  // one free, as the reference has it; files agree with that.
  AddedTokens(const Json& list, const Vocabulary& vocabulary, const Normalizer* normalizer);

  enum class Stage { kRaw, kNormalized };
  // Cuts `text` at the tokens of one stage; sections cover it, except that `lstrip` and `rstrip`
  // can make neighbours overlap. With `parse_special` false special tokens are text.
  std::vector<Section> cut(std::string_view text, Stage stage, bool parse_special) const;

  const AddedToken* find(std::int32_t id) const;
  const AddedToken* find(std::string_view content) const;
  bool is_special(std::string_view content) const;
  int highest_id() const { return highest_id_; }

 private:
  void add(AddedToken token);
  void index();

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  std::unordered_map<std::string, std::size_t> by_content_;
  PhraseMatcher raw_, normalized_;
  int highest_id_ = -1;
};

}  // namespace nibble::tokenizer
