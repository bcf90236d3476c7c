#include "tokenizer/vocabulary.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "support/error_text.h"

namespace nibble::tokenizer {
namespace {

TextList list(std::initializer_list<std::string_view> texts) {
  TextList list;
  for (const std::string_view text : texts) list.add(text);
  return list;
}

TEST(Vocabulary, FindsEveryTokenInBothDirections) {
  const Vocabulary words(list({"b", "", "a", "ab"}), {7, 0, 3, 9});
  EXPECT_EQ(words.find("ab"), 9);
  EXPECT_EQ(words.find(""), 0);
  EXPECT_EQ(words.text(7), "b");
  EXPECT_EQ(words.count(), 4);
  EXPECT_EQ(words.highest_id(), 9);
}

TEST(Vocabulary, KnowsNoUnusedIdAndNoOtherToken) {
  const Vocabulary words(list({"b", "a"}), {7, 3});
  for (const std::int32_t id : {-1, 0, 4, 8, INT32_MAX, INT32_MIN})
    EXPECT_EQ(words.text(id), std::nullopt) << id;
  for (const char* token : {"", "c", "B", "ab"}) EXPECT_EQ(words.find(token), std::nullopt);
}

TEST(Vocabulary, FindsThemAllWhenThereAreMany) {
  TextList texts;
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 50'000; ++i) {
    texts.add(cat("token", i));
    ids.push_back(49'999 - i);
  }
  const Vocabulary words(std::move(texts), std::move(ids));
  for (int i = 0; i < 50'000; ++i) ASSERT_EQ(words.find(cat("token", i)), 49'999 - i);
  EXPECT_EQ(words.find("token50000"), std::nullopt);
}

TEST(Vocabulary, MayBeEmpty) {
  const Vocabulary words({}, {});
  EXPECT_EQ(words.find("a"), std::nullopt);
  EXPECT_EQ(words.text(0), std::nullopt);
  EXPECT_EQ(words.highest_id(), -1);
}

TEST(Vocabulary, NamesBothTokensOfOneId) {
  const std::string text = test::error_text([] { Vocabulary(list({"a", "b"}), {1, 1}); });
  EXPECT_NE(text.find("\"a\" and \"b\" have the same id 1"), std::string::npos) << text;
}

TEST(Vocabulary, RefusesATokenGivenTwiceAndIdsOutOfReach) {
  using enum ErrorKind;
  EXPECT_EQ(test::error_kind([] { Vocabulary(list({"a", "a"}), {0, 1}); }), kCorruptFile);
  EXPECT_EQ(test::error_kind([] { Vocabulary(list({"a"}), {-1}); }), kCorruptFile);
  // One token may not make a table of a billion entries.
  EXPECT_EQ(test::error_kind([] { Vocabulary(list({"a"}), {1'000'000'000}); }), kCorruptFile);
  EXPECT_EQ(test::error_kind([] { Vocabulary(list({"a"}), {INT64_MAX}); }), kCorruptFile);
}

}  // namespace
}  // namespace nibble::tokenizer
