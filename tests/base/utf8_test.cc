#include "base/utf8.h"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(Utf8, WellFormedBytesEndBeforeTheFirstBadCharacter) {
  EXPECT_EQ(well_formed_bytes(""), 0u);
  EXPECT_EQ(well_formed_bytes("a long line of plain letters, é€😀"), 39u);
  EXPECT_EQ(well_formed_bytes("sixteen letters.\xE9t\xE9"), 16u);
  EXPECT_EQ(well_formed_bytes("aé\xE2\x82"), 3u);               // the last character is cut off
  EXPECT_EQ(well_formed_bytes("\xED\xA0\x80"), 0u);             // a surrogate
  EXPECT_EQ(well_formed_bytes("ok\xC0\xAF"), 2u);               // an overlong form
  EXPECT_EQ(well_formed_bytes("\xF4\x90\x80\x80 behind"), 0u);  // above U+10FFFF
}

TEST(Utf8, WritesCharactersOfEveryLength) {
  std::string text;
  for (const char32_t c : {U'a', U'é', U'€', U'😀'}) append_utf8(text, c);
  EXPECT_EQ(text, "aé€😀");
}

}  // namespace
}  // namespace nibble
