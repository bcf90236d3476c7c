// How bytes are spelled in a vocabulary of text: the alphabet of GPT-2, and "<0x0A>".
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/text.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/byte_fallback.h"

namespace nibble::tokenizer {
namespace {

std::string spelled(std::string_view bytes) {
  std::string text;
  append_byte_characters(text, bytes);
  return text;
}

TEST(ByteAlphabet, SpellsEveryByteWithACharacterOfItsOwn) {
  std::set<std::string> characters;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = spelled(std::string(1, static_cast<char>(byte)));
    EXPECT_TRUE(is_valid_utf8(text)) << byte;
    EXPECT_TRUE(characters.insert(text).second) << byte;
    EXPECT_EQ(spelled_bytes(text), std::string(1, static_cast<char>(byte)));
  }
}

// bytes_to_unicode() of GPT-2's encoder.py.
TEST(ByteAlphabet, HasTheCharactersOfGpt2) {
  EXPECT_EQ(spelled("Az~!"), "Az~!");
  EXPECT_EQ(spelled(" "), "Ġ");
  EXPECT_EQ(spelled("\n"), "Ċ");
  EXPECT_EQ(spelled(std::string_view("\0", 1)), "Ā");
  EXPECT_EQ(spelled("\x7F"), "ġ");
  EXPECT_EQ(spelled("\xA0"), "ł");
  EXPECT_EQ(spelled("\xAD"), "Ń");
  EXPECT_EQ(spelled("é"), "Ã©");
}

TEST(ByteAlphabet, SaysWhichTextIsNoneOfIts) {
  for (const char* text : {" ", "\n", "a b", "ń", "你", "\u007F", "\U0001F600"})
    EXPECT_EQ(spelled_bytes(text), std::nullopt) << text;
  EXPECT_EQ(spelled_bytes(""), "");
}

TEST(ByteFallback, SpellsEveryByteAndReadsItBack) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string token = fallback_token(static_cast<std::uint8_t>(byte));
    EXPECT_EQ(token.size(), 6u);
    EXPECT_EQ(fallback_byte(token), byte);
  }
  EXPECT_EQ(fallback_token(10), "<0x0A>");
}

TEST(ByteFallback, TakesDigitsOfEitherCase) {
  EXPECT_EQ(fallback_byte("<0xff>"), 255);
  EXPECT_EQ(fallback_byte("<0xFf>"), 255);
}

TEST(ByteFallback, IsNoOtherText) {
  for (const char* text : {"", "<0x0A", "0x0A>", "<0x0AA>", "<0xA>", "<0x0G>", "<0x-1>", "<0X0A>",
                           "<0x 1>", "<0x+1>", "<s>", " <0x0A>"})
    EXPECT_EQ(fallback_byte(text), std::nullopt) << text;
}

}  // namespace
}  // namespace nibble::tokenizer
