// The tokens of a model and their ids, in both directions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/text_list.h"

namespace nibble::tokenizer {

class Vocabulary {
 public:
  // `ids` beside `tokens`. Throws kCorruptFile for a token or an id given twice, an id that is
  // negative, or one so high that the table of ids would be nearly empty.
  Vocabulary(TextList tokens, std::vector<std::int64_t> ids);

  std::optional<std::int32_t> find(std::string_view token) const;
  // Empty optional for an unused id.
  std::optional<std::string_view> text(std::int32_t id) const;
  int count() const { return static_cast<int>(tokens_.size()); }
  int highest_id() const { return static_cast<int>(index_of_id_.size()) - 1; }

 private:
  TextList tokens_;
  std::vector<std::int32_t> ids_;
  std::vector<std::int32_t> index_of_id_;  // -1: unused
  std::vector<std::int32_t> slots_;        // hash table of indices, -1: empty; a power of two
};

}  // namespace nibble::tokenizer
