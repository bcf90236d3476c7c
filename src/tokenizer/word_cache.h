// Remembers the ids of short pieces during one call of encode: text repeats its words.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/text_list.h"

namespace nibble::tokenizer {

class WordCache {
 public:
  // The ids stored for `word`, or null data() when there are none.
  std::span<const std::int32_t> find(std::string_view word) {
    if (slots_.empty()) return {};
    slot_ = hash_text(word) & (slots_.size() - 1);
    for (; slots_[slot_] != 0; slot_ = (slot_ + 1) & (slots_.size() - 1)) {
      const std::size_t index = slots_[slot_] - 1;
      if (words_[index] == word)
        return {ids_.data() + begins_[index], ids_.data() + begins_[index + 1]};
    }
    return {};
  }

  // Call after find() failed for the same word.
  void add(std::string_view word, std::span<const std::int32_t> ids) {
    if (word.size() > kMaxWordBytes || ids.empty() || words_.size() >= kMaxWords) return;
    words_.add(word);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    begins_.push_back(static_cast<std::uint32_t>(ids_.size()));
    if (words_.size() * 2 >= slots_.size())
      grow();
    else
      slots_[slot_] = static_cast<std::uint32_t>(words_.size());
  }

 private:
  static constexpr std::size_t kMaxWordBytes = 128;
  static constexpr std::size_t kMaxWords = 1 << 19;

  void grow() {
    slots_.assign(slots_.empty() ? 256 : slots_.size() * 4, 0);
    for (std::size_t i = 0; i < words_.size(); ++i) {
      std::size_t slot = hash_text(words_[i]) & (slots_.size() - 1);
      while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<std::uint32_t>(i + 1);
    }
  }

  TextList words_;
  std::vector<std::int32_t> ids_;
  std::vector<std::uint32_t> begins_{0};
  std::vector<std::uint32_t> slots_;  // index + 1, 0: empty; a power of two, at most half full
  std::size_t slot_ = 0;              // where the last find() stopped
};

}  // namespace nibble::tokenizer
