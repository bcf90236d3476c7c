#include "tokenizer/phrase_matcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/error_text.h"

namespace nibble::tokenizer {
namespace {

// begin, end and value of every match from left to right.
std::vector<std::array<std::size_t, 3>> all(const PhraseMatcher& matcher, std::string_view text) {
  std::vector<std::array<std::size_t, 3>> found;
  std::size_t from = 0;
  while (const auto match = matcher.find(text, from)) {
    found.push_back({match->begin, match->end, static_cast<std::size_t>(match->value)});
    from = match->end;
  }
  return found;
}

TEST(PhraseMatcher, TakesTheLongestPhraseAtTheFirstPlace) {
  PhraseMatcher matcher;
  matcher.add("<s>", 1);
  matcher.add("<s>>", 2);
  matcher.add("s>", 3);
  EXPECT_EQ(all(matcher, "x<s>>s><s>"),
            (std::vector<std::array<std::size_t, 3>>{{1, 5, 2}, {5, 7, 3}, {7, 10, 1}}));
}

TEST(PhraseMatcher, FallsBackToAShorterPhraseWhenTheLongerOneBreaksOff) {
  PhraseMatcher matcher;
  matcher.add("ab", 1);
  matcher.add("abcd", 2);
  EXPECT_EQ(all(matcher, "abcx"), (std::vector<std::array<std::size_t, 3>>{{0, 2, 1}}));
  EXPECT_EQ(all(matcher, "abc"), (std::vector<std::array<std::size_t, 3>>{{0, 2, 1}}));
}

TEST(PhraseMatcher, KeepsTheFirstValueOfAPhraseAddedTwice) {
  PhraseMatcher matcher;
  matcher.add("a", 1);
  matcher.add("a", 2);
  EXPECT_EQ(matcher.find("a", 0)->value, 1);
}

TEST(PhraseMatcher, FindsNothingWhenThereIsNothing) {
  PhraseMatcher matcher;
  EXPECT_TRUE(matcher.empty());
  EXPECT_FALSE(matcher.find("abc", 0).has_value());
  matcher.add("abc", 1);
  EXPECT_FALSE(matcher.find("", 0).has_value());
  EXPECT_FALSE(matcher.find("abc", 1).has_value());
  EXPECT_FALSE(matcher.find("abc", 9).has_value());
}

TEST(PhraseMatcher, RefusesPhrasesThatAreEmptyOrTooLong) {
  PhraseMatcher matcher;
  matcher.add(std::string(PhraseMatcher::kMaxPhraseBytes, 'a'), 1);
  for (const std::size_t bytes : {std::size_t{0}, PhraseMatcher::kMaxPhraseBytes + 1})
    EXPECT_EQ(test::error_kind([&] { matcher.add(std::string(bytes, 'a'), 1); }),
              ErrorKind::kUnsupported)
        << bytes;
}

// Against a search that tries every phrase at every place.
TEST(PhraseMatcher, AgreesWithThePlainSearch) {
  Random random(17);
  const auto word = [&](std::uint64_t longest) {
    std::string text;
    for (std::uint64_t left = random.below(longest + 1); left > 0; --left)
      text += static_cast<char>('a' + random.below(3));
    return text;
  };
  for (int trial = 0; trial < 300; ++trial) {
    PhraseMatcher matcher;
    std::map<std::string, std::int32_t> phrases;
    for (std::int32_t i = 0; i < 6; ++i) {
      const std::string phrase = word(4);
      if (phrase.empty()) continue;
      matcher.add(phrase, i);
      phrases.try_emplace(phrase, i);
    }
    const std::string text = word(30);
    std::vector<std::array<std::size_t, 3>> expected;
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t longest = 0;
      for (const auto& [phrase, value] : phrases)
        if (text.compare(begin, phrase.size(), phrase) == 0)
          longest = std::max(longest, phrase.size());
      if (longest != 0)
        expected.push_back({begin, begin + longest,
                            static_cast<std::size_t>(phrases[text.substr(begin, longest)])});
      begin += std::max<std::size_t>(1, longest);
    }
    ASSERT_EQ(all(matcher, text), expected) << text;
  }
}

}  // namespace
}  // namespace nibble::tokenizer
