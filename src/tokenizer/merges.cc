// Short words: look for the lowest rank again after every merge. Long words: a heap of (rank,
// position) with entries that are checked when they come up, so that a word of n symbols takes O(n
// log n).
#include "tokenizer/merges.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kShortWord = 100;  // symbols
constexpr std::uint32_t kNoRank = UINT32_MAX;
constexpr std::int32_t kGone = -1;

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

}  // namespace

Merges::Merges(std::size_t count) : slots_(std::bit_ceil(count * 2 + 1)) {}

std::size_t Merges::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::uint64_t hash = pair * 0x9E3779B97F4A7C15ull;
  hash ^= hash >> 32;
  std::size_t slot = hash & mask;
  while (slots_[slot].pair != pair && slots_[slot].pair != kEmpty) slot = (slot + 1) & mask;
  return slot;
}

void Merges::set(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t pair = pair_key(left, right);
  slots_[slot_of(pair)] = {pair, merge};
}

const Merge* Merges::find(std::int32_t left, std::int32_t right) const {
  const Slot& slot = slots_[slot_of(pair_key(left, right))];
  return slot.pair == kEmpty ? nullptr : &slot.merge;
}

void Merges::apply(Ids& word, Ids& ids) const {
  if (word.size() <= kShortWord)
    apply_short(word, ids);
  else
    apply_long(word, ids);
}

void Merges::apply_short(Ids& word, Ids& ids) const {
  Merge merges[kShortWord];  // merges[i]: of word[i] and word[i + 1]
  const auto look_up = [&](std::size_t i) {
    const Merge* merge = find(word[i], word[i + 1]);
    merges[i] = merge != nullptr ? *merge : Merge{kNoRank, 0};
  };
  std::size_t count = word.size();
  for (std::size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i)
      if (merges[i].rank < merges[best].rank) best = i;
    if (merges[best].rank == kNoRank) break;
    word[best] = merges[best].id;
    std::copy(word.begin() + static_cast<std::ptrdiff_t>(best) + 2,
              word.begin() + static_cast<std::ptrdiff_t>(count),
              word.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(merges + best + 1, merges + count - 1, merges + best);
    --count;
    if (best > 0) look_up(best - 1);
    if (best + 1 < count) look_up(best);
  }
  ids.insert(ids.end(), word.begin(), word.begin() + static_cast<std::ptrdiff_t>(count));
}

void Merges::apply_long(Ids& word, Ids& ids) const {
  const auto count = static_cast<std::uint32_t>(word.size());
  std::vector<std::uint32_t> previous(count), next(count), rank(count, kNoRank);
  std::vector<std::uint64_t> heap;  // rank << 32 | position
  const auto look_up = [&](std::uint32_t i) {
    const Merge* merge = next[i] < count ? find(word[i], word[next[i]]) : nullptr;
    rank[i] = merge != nullptr ? merge->rank : kNoRank;
    return merge != nullptr;
  };
  const auto entry = [&](std::uint32_t i) { return std::uint64_t{rank[i]} << 32 | i; };
  const auto push = [&](std::uint32_t i) {
    if (!look_up(i)) return;
    heap.push_back(entry(i));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };

  for (std::uint32_t i = 0; i < count; ++i) {
    previous[i] = i - 1;  // wraps to UINT32_MAX for the first: none
    next[i] = i + 1;
  }
  for (std::uint32_t i = 0; i < count; ++i)
    if (look_up(i)) heap.push_back(entry(i));
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const auto at = static_cast<std::uint32_t>(heap.back());
    const auto entry_rank = static_cast<std::uint32_t>(heap.back() >> 32);
    heap.pop_back();
    if (word[at] == kGone || rank[at] != entry_rank) continue;  // the pair is another one by now
    const std::uint32_t right = next[at];
    word[at] = find(word[at], word[right])->id;
    word[right] = kGone;
    next[at] = next[right];
    if (next[at] < count) previous[next[at]] = at;
    push(at);
    if (previous[at] < count) push(previous[at]);
  }
  for (const std::int32_t id : word)
    if (id != kGone) ids.push_back(id);
}

}  // namespace nibble::tokenizer
