// UTF-8 repair and the classes of characters.
#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace nibble::tokenizer {
namespace {

TEST(Unicode, RepairsOneReplacementForEachLongestPrefix) {
  EXPECT_EQ(lossy_utf8("a\xF0\x9F\x98"
                       "b"),
            "a\uFFFDb");
  EXPECT_EQ(lossy_utf8("\xF5\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(lossy_utf8("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(lossy_utf8("\u4f60\U0001F600"), "\u4f60\U0001F600");
}

TEST(Unicode, KnowsHowMuchOfACharacterIsMissing) {
  EXPECT_EQ(unfinished_bytes("a\xF0\x9F\x98"), 3u);
  EXPECT_EQ(unfinished_bytes("a\xE4"), 1u);
  EXPECT_EQ(unfinished_bytes("\u4f60"), 0u);
  EXPECT_EQ(unfinished_bytes("\xFF"), 0u);      // can never become one
  EXPECT_EQ(unfinished_bytes("\xE0\x80"), 0u);  // neither can this
  EXPECT_EQ(unfinished_bytes(""), 0u);
}

TEST(Unicode, EveryCharacterSurvivesAWayThroughUtf8) {
  for (char32_t c = 1; c < 0x110000; c += 0x1F) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_TRUE(is_valid_utf8(text));
    ASSERT_EQ(text.size(), character_bytes(text[0]));
    std::size_t front = 0, back = text.size();
    ASSERT_EQ(next_character(text, front), c);
    ASSERT_EQ(previous_character(text, back), c);
  }
}

TEST(Unicode, SortsCharactersIntoClasses) {
  EXPECT_TRUE(is_space(U'\u3000') && is_space('\t') && is_space(U'\u0085'));
  EXPECT_FALSE(is_space(U'\u200B') || is_space('a'));
  EXPECT_TRUE(is_numeric(U'½') && is_numeric(U'Ⅷ') && is_numeric('7'));
  EXPECT_TRUE(is_punctuation('$') && is_punctuation('~') && is_punctuation(U'。'));
  EXPECT_FALSE(is_punctuation(' ') || is_punctuation('a') || is_punctuation(U'€'));
  EXPECT_TRUE(is_word('_') && is_word(U'你') && is_word(U'\u0301') && is_word(U'\u200D'));
  EXPECT_FALSE(is_word('-') || is_word(U'½'));
}

TEST(Unicode, LowersEachCharacterByItself) { EXPECT_EQ(lower_case("ΣΊΣ İ ẞ"), "σίσ i\u0307 ß"); }

}  // namespace
}  // namespace nibble::tokenizer
