#include "tokenizer/training/word_counts.h"

#include <gtest/gtest.h>

#include <map>

#include "base/parallel.h"
#include "base/random.h"

namespace nibble::tokenizer {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

Counts as_map(const WordCounts& words) {
  Counts counts;
  for (std::size_t i = 0; i < words.size(); ++i)
    counts[std::string(words.word(i))] = words.count(i);
  return counts;
}

Counts counted(std::string_view text, TextCut cut) {
  WordCounts words;
  count_words(text, cut, words);
  return as_map(words);
}

TEST(WordCounts, AddsUp) {
  WordCounts words;
  for (int i = 0; i < 5000; ++i) words.add(std::to_string(i % 1234), 2);
  words.add("");
  EXPECT_EQ(words.size(), 1235u);
  EXPECT_EQ(as_map(words).at("63"), 10u);
  EXPECT_EQ(as_map(words).at("1233"), 8u);
}

TEST(CountWords, CutsBehindLinesOrNot) {
  const std::string text = "It's a\n\n\n  b a";
  EXPECT_EQ(counted(text, TextCut::kLines),
            (Counts{{"It", 1}, {"'s", 1}, {" a", 2}, {"\n", 3}, {" ", 1}, {" b", 1}}));
  EXPECT_EQ(counted(text, TextCut::kNone),
            (Counts{{"It", 1}, {"'s", 1}, {" a", 2}, {"\n\n\n ", 1}, {" b", 1}}));
  EXPECT_TRUE(counted("", TextCut::kLines).empty());
}

// Blanks, contractions, numbers and letters, in tiles that end wherever they may.
std::string random_text(std::size_t bytes) {
  static constexpr const char* kParts[] = {"a",  "b", " ", "  ", "\n", "\n\n", "'s", "'ll",
                                           "12", "é", ".", "日", "\t", "x y",  "! "};
  Random random(1);
  std::string text;
  while (text.size() < bytes) text += kParts[random.below(std::size(kParts))];
  return text;
}

TEST(CountWords, TilesChangeNothing) {
  const std::string text = random_text(5u << 20);
  // Each text of a list is read at once.
  WordCounts whole;
  count_words(std::vector<std::string>{text}, whole);
  EXPECT_EQ(counted(text, TextCut::kNone), as_map(whole));
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    lines.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  WordCounts by_lines;
  count_words(lines, by_lines);
  EXPECT_EQ(counted(text, TextCut::kLines), as_map(by_lines));
}

TEST(CountWords, ThreadsChangeNothing) {
  const std::string text = random_text(3u << 20);
  set_threads(1);
  WordCounts one;
  count_words(text, TextCut::kLines, one);
  set_threads(3);
  WordCounts three;
  count_words(text, TextCut::kLines, three);
  set_threads(0);
  ASSERT_EQ(one.size(), three.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    ASSERT_EQ(one.word(i), three.word(i));
    ASSERT_EQ(one.count(i), three.count(i));
  }
}

TEST(CountWords, ATextWithoutAPlaceToCutIsRead) {
  const std::string text(3u << 20, 'x');
  EXPECT_EQ(counted(text, TextCut::kNone), (Counts{{text, 1}}));
  EXPECT_EQ(counted(text, TextCut::kLines), (Counts{{text, 1}}));
}

}  // namespace
}  // namespace nibble::tokenizer
