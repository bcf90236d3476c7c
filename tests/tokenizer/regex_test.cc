// Matches of patterns, empty ones included, and the limits that keep them harmless.
#include "tokenizer/regex.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "support/error_text.h"

namespace nibble::tokenizer {
namespace {

using Matches = std::vector<std::pair<std::size_t, std::size_t>>;

Matches matches(const char* pattern, std::string_view text) {
  Matches found;
  Regex(pattern).each_match(text, [&](auto from, auto to) { found.emplace_back(from, to); });
  return found;
}

TEST(Regex, FindsMatchesFromLeftToRight) {
  EXPECT_EQ(matches("a+", "baacab"), (Matches{{1, 3}, {4, 5}}));
  EXPECT_EQ(matches(R"(\p{L}+)", "\u4f60 \u597d"), (Matches{{0, 3}, {4, 7}}));
  EXPECT_EQ(matches("x", ""), Matches{});
}

TEST(Regex, AnEmptyMatchBehindAnotherDoesNotCount) {
  EXPECT_EQ(matches("a*", "aab"), (Matches{{0, 2}, {3, 3}}));
  EXPECT_EQ(matches("", "\u4f60a"), (Matches{{0, 0}, {3, 3}, {4, 4}}));
}

TEST(Regex, KeepsGoingOverALongRun) {
  const std::string run(3'000'000, ' ');
  EXPECT_EQ(matches(R"(\s*[\r\n]+|\s+(?!\S)|\s+)", run), (Matches{{0, run.size()}}));
}

TEST(Regex, StopsWhenMatchingExplodes) {
  const std::string text = test::error_text([] { matches("(x+x+)+y", std::string(4000, 'x')); });
  EXPECT_NE(text.find("needs too much work at byte 0"), std::string::npos) << text;
}

TEST(Regex, RefusesNonsense) {
  EXPECT_EQ(test::error_kind([] { Regex regex("[a"); }), ErrorKind::kCorruptFile);
  EXPECT_EQ(test::error_kind([] { Regex regex(std::string(100'000, 'a')); }),
            ErrorKind::kUnsupported);
  EXPECT_EQ(test::error_kind([] { Regex regex(std::string(5'000, '(')); }),
            ErrorKind::kCorruptFile);
}

}  // namespace
}  // namespace nibble::tokenizer
