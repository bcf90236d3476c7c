// Counts of pairs of tokens: a hash table that only grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nibble::tokenizer {

// Two ids as one number, which is in the order of the left id, then the right one.
using Pair = std::uint64_t;
inline Pair pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<Pair>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}
inline std::int32_t left_of(Pair pair) { return static_cast<std::int32_t>(pair >> 32); }
inline std::int32_t right_of(Pair pair) { return static_cast<std::int32_t>(pair & UINT32_MAX); }

class PairCounts {
 public:
  // Of a pair not seen yet: 0. Valid until the next call.
  std::int64_t& operator[](Pair pair) {
    if (used_ * 2 >= slots_.size()) grow();
    Slot& slot = slots_[place(pair)];
    if (slot.pair == kEmpty) {
      slot.pair = pair;
      ++used_;
    }
    return slot.count;
  }

 private:
  static constexpr Pair kEmpty = UINT64_MAX;  // ids are not negative
  struct Slot {
    Pair pair = kEmpty;
    std::int64_t count = 0;
  };

  std::size_t place(Pair pair) const {
    const auto product = static_cast<unsigned __int128>(pair) * 0x9E3779B97F4A7C15ull;
    std::size_t at = static_cast<std::size_t>(product ^ product >> 64) & (slots_.size() - 1);
    while (slots_[at].pair != kEmpty && slots_[at].pair != pair)
      at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void grow() {
    std::vector<Slot> old(slots_.empty() ? 4096 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.pair != kEmpty) slots_[place(slot.pair)] = slot;
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::size_t used_ = 0;
};

}  // namespace nibble::tokenizer
