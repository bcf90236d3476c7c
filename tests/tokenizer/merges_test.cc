// Both ways to apply merges give the same tokens, and a word of any length takes reasonable time.
#include "tokenizer/merges.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/random.h"

namespace nibble::tokenizer {
namespace {

// Ids 0…3 are letters; the rules merge random pairs of ids into new ones.
Merges random_merges(int count, Random& random) {
  Merges merges(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto any = [&] { return static_cast<std::int32_t>(random.below(4 + i)); };
    merges.set(any(), any(), {static_cast<std::uint32_t>(i), 4 + i});
  }
  return merges;
}

// The definition: the lowest rank in the whole word, the leftmost of equals, again and again.
Ids by_definition(const Merges& merges, Ids word) {
  while (true) {
    std::size_t best = word.size();
    std::uint32_t best_rank = UINT32_MAX;
    for (std::size_t i = 0; i + 1 < word.size(); ++i)
      if (const Merge* merge = merges.find(word[i], word[i + 1]); merge && merge->rank < best_rank)
        best = i, best_rank = merge->rank;
    if (best == word.size()) return word;
    word[best] = merges.find(word[best], word[best + 1])->id;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(Merges, ShortAndLongWordsFollowTheDefinition) {
  Random random(3);
  for (int trial = 0; trial < 200; ++trial) {
    const Merges merges = random_merges(30, random);
    Ids word(trial % 2 == 0 ? 1 + random.below(100) : 101 + random.below(200));
    for (auto& id : word) id = static_cast<std::int32_t>(random.below(4));
    Ids expected = by_definition(merges, word), actual;
    merges.apply(word, actual);
    EXPECT_EQ(actual, expected);
  }
}

TEST(Merges, TheLaterOfTwoEqualRulesCounts) {
  Merges merges(2);
  merges.set(0, 1, {5, 2});
  merges.set(0, 1, {9, 3});
  EXPECT_EQ(merges.find(0, 1)->rank, 9u);
  EXPECT_EQ(merges.find(1, 0), nullptr);
}

TEST(Merges, AWordOfAMillionLettersIsNotQuadratic) {
  Random random(5);
  const Merges merges = random_merges(50, random);
  Ids word(1'000'000), ids;
  for (auto& id : word) id = static_cast<std::int32_t>(random.below(4));
  const auto start = std::chrono::steady_clock::now();
  merges.apply(word, ids);
  EXPECT_LT(ids.size(), 1'000'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace nibble::tokenizer
