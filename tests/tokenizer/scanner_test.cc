// The hand-written scanners against the engine, on text that is nothing but hard cases.
#include "tokenizer/scanner.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/regex/regex.h"
#include "tokenizer/character_class.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

constexpr std::array kKnown = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};

std::string hard_text(Random& random) {
  constexpr std::array kParts = {
      " ",      " ",      " ",      "\n",     "\r",     "\t",     "'",         "'",      "'s",
      "s",      "S",      "re",     "LL",     "lL",     "ve",     "m",         "D",      "T",
      "\u017F", "\u00a0", "\u3000", "1",      "\u00bd", "\u0663", "\u4f60",    "\u0301", "!",
      "\u20ac", "_",      "\u2028", "\u0085", "\x1c",   "\u200b", "\U0001F600"};
  std::string text;
  for (std::uint64_t left = random.below(40); left > 0; --left) {
    text += kParts[random.below(kParts.size())];
    if (random.below(8) == 0) {
      const auto any = static_cast<char32_t>(1 + random.below(0x10FFFF));
      append_utf8(text, any >= 0xD800 && any < 0xE000 ? U'x' : any);
    }
  }
  return text;
}

class KnownPattern : public testing::TestWithParam<const char*> {};

TEST_P(KnownPattern, CutsAsTheEngineDoes) {
  const Scanner* scanner = known_scanner(GetParam());
  ASSERT_NE(scanner, nullptr);
  const Regex regex(GetParam());
  Random random(11);
  for (int trial = 0; trial < 3000; ++trial) {
    const std::string text = hard_text(random);
    std::vector<std::size_t> expected, actual;
    regex.each_match(text, [&](std::size_t, std::size_t end) { expected.push_back(end); });
    for (std::size_t end = 0; end < text.size();)
      actual.push_back(end = scanner->match_end(text, end));
    ASSERT_EQ(actual, expected) << '"' << text << '"';
  }
}

constexpr std::array kPatternNames = {"Gpt2", "Gpt2Grouped", "ThreeDigits", "Llama3", "Qwen2"};

INSTANTIATE_TEST_SUITE_P(All, KnownPattern, testing::ValuesIn(kKnown),
                         [](const auto& test) { return kPatternNames.at(test.index); });

TEST(KnownScanner, LeavesOtherPatternsToTheEngine) {
  EXPECT_EQ(known_scanner(R"(\s+)"), nullptr);
  EXPECT_EQ(known_scanner(""), nullptr);
}

TEST(CharacterClasses, AreThoseOfTheEngine) {
  const CharacterClasses& classes = CharacterClasses::instance();
  const Regex letters(R"(\p{L})"), numbers(R"(\p{N})"), blanks(R"(\s)");
  const auto matches = [](const Regex& regex, std::string_view text) {
    bool any = false;
    regex.each_match(text, [&](auto, auto) { any = true; });
    return any;
  };
  for (char32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(classes[c] == CharacterClass::kLetter, matches(letters, text))
        << std::hex << static_cast<std::uint32_t>(c);
    ASSERT_EQ(classes[c] == CharacterClass::kNumber, matches(numbers, text))
        << std::hex << static_cast<std::uint32_t>(c);
    ASSERT_EQ(classes[c] == CharacterClass::kBlank, matches(blanks, text))
        << std::hex << static_cast<std::uint32_t>(c);
  }
}

}  // namespace
}  // namespace nibble::tokenizer
