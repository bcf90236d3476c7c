// The merge rules of a BPE model, and their application to one word.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tokenizer/postprocessors/postprocessor.h"

namespace nibble::tokenizer {

struct Merge {
  std::uint32_t rank = 0;  // lower ranks are merged first
  std::int32_t id = 0;     // of the merged token
};

class Merges {
 public:
  explicit Merges(std::size_t count);
  // A pair given twice keeps the later rule.
  void set(std::int32_t left, std::int32_t right, Merge merge);
  // Null when the two do not merge.
  const Merge* find(std::int32_t left, std::int32_t right) const;

  // Merges neighbours of `word`, the lowest rank first and of equal ranks the leftmost, until no
  // rule applies. Appends the result to `ids`; `word` is left in no particular state.
  void apply(Ids& word, Ids& ids) const;

 private:
  void apply_short(Ids& word, Ids& ids) const;
  void apply_long(Ids& word, Ids& ids) const;

  struct Slot {
    std::uint64_t pair = kEmpty;
    Merge merge;
  };
  static constexpr std::uint64_t kEmpty = UINT64_MAX;
  std::size_t slot_of(std::uint64_t pair) const;
  std::vector<Slot> slots_;  // open addressing; a power of two, at most half full
};

}  // namespace nibble::tokenizer
