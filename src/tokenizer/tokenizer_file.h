// tokenizer.json, read once: the two big tables go straight into compact lists, the rest, small in
// any real file, becomes a JSON tree. Readers of other files fill the same struct.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tokenizer/text_list.h"

namespace nibble::tokenizer {

// A merge by ids. Rules of equal rank are applied from left to right.
struct MergeRule {
  std::int32_t left = 0, right = 0, merged = 0;
  std::uint32_t rank = 0;
};

struct TokenizerFile {
  Json tree;  // without model.vocab and model.merges
  bool has_vocab = false, has_merges = false;
  TextList tokens;  // model.vocab, when it is an object
  std::vector<std::int64_t> ids;
  TextList merges;               // model.merges: two entries each, left and right
  std::vector<MergeRule> rules;  // merges of files that have no such list
};

// Throws kCorruptFile for text that is not JSON, and kUnsupported for a tree too deep or too big.
TokenizerFile read_tokenizer_file(std::string_view text);

}  // namespace nibble::tokenizer
