// Matches of patterns, empty ones included, and the limits that keep them harmless.
#include "base/regex/regex.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/progress.h"
#include "support/error_text.h"

namespace nibble {
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

// Nothing here steps back, so the engine's own limit never counts: each start crosses the text.
TEST(Regex, StopsWhereEachStartOfAMatchCrossesTheWholeText) {
  const std::string text = test::error_text([] {
    Regex("[^q]*+[x]")
        .each_match(std::string(200'000, 'x'), [](auto, auto) {},
                    {std::chrono::milliseconds(20), std::chrono::milliseconds(0)});
  });
  EXPECT_NE(text.find("of 200000 bytes: out of time"), std::string::npos) << text;
}

TEST(Regex, StopsInALoopThatDoesNotMoveForward) {
  const std::string text = test::error_text([] {
    Regex("(?:(?:|x){9000}){9000}[^x]")
        .each_match(std::string(9000, 'x'), [](auto, auto) {},
                    {std::chrono::milliseconds(20), std::chrono::milliseconds(0)});
  });
  EXPECT_NE(text.find("out of time"), std::string::npos) << text;
}

TEST(Regex, ARequestToStopEndsASearch) {
  const Regex regex("[^q]*+[x]");
  request_stop();
  const auto kind =
      test::error_kind([&] { regex.each_match(std::string(200'000, 'x'), [](auto, auto) {}); });
  forget_stop_request();
  EXPECT_EQ(kind, ErrorKind::kInterrupted);
}

TEST(Regex, CountsStepsOfShortTexts) {
  const Regex simple("model[.]layers", Regex::Syntax::kPython);
  std::uint64_t left = 1000;
  EXPECT_TRUE(simple.matches_start("model.layers.0", left));
  EXPECT_EQ(left, 999u);
  EXPECT_FALSE(simple.matches_start("a model.layers", left));
  EXPECT_TRUE(simple.matches_anywhere("a model.layers", left));
  EXPECT_GT(left, 900u);
}

TEST(Regex, PatternAndTextAreNamedWhenTheStepsAreUsedUp) {
  const Regex explosive("(x+x+)+y", Regex::Syntax::kPython);
  std::uint64_t left = 50'000;
  const std::string text =
      test::error_text([&] { explosive.matches_start(std::string(40, 'x'), left); });
  EXPECT_EQ(left, 0u);
  EXPECT_NE(text.find("pattern \"(x+x+)+y\" needs too much work on \"xxxx"), std::string::npos);
  EXPECT_NE(text.find("too many steps"), std::string::npos) << text;
}

TEST(Regex, RefusesNonsense) {
  EXPECT_EQ(test::error_kind([] { Regex regex("[a"); }), ErrorKind::kCorruptFile);
  EXPECT_EQ(test::error_kind([] { Regex regex(std::string(100'000, 'a')); }),
            ErrorKind::kUnsupported);
  EXPECT_EQ(test::error_kind([] { Regex regex(std::string(4'000, '(')); }),
            ErrorKind::kCorruptFile);
  EXPECT_EQ(test::error_kind([] { Regex regex("a\xFF"); }), ErrorKind::kCorruptFile);
}

}  // namespace
}  // namespace nibble
