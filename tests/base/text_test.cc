// Words for people.
#include "base/text.h"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(HumanBytes, UsesTheLargestUnitThatKeepsTheNumberAboveOne) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(5ull << 30), "5.0 GiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16777216.0 TiB");
}

TEST(HumanSeconds, ShowsHoursOnlyWhenThereAreAny) {
  EXPECT_EQ(human_seconds(75.2), "01:15");
  EXPECT_EQ(human_seconds(3700), "1:01:40");
  EXPECT_EQ(human_seconds(-5), "00:00");
}

TEST(NearestName, FindsATypingMistakeAndNothingFarAway) {
  const std::vector<std::string> known = {"int4", "int8", "nf4", "model.norm.weight"};
  EXPECT_EQ(nearest_name("int5", known), "int4");
  EXPECT_EQ(nearest_name("model.norm.wieght", known), "model.norm.weight");
  EXPECT_EQ(nearest_name("completely different", known), "");
}

TEST(Join, PutsTheSeparatorOnlyBetweenParts) {
  const std::vector<std::string> parts = {"a", "b", "c"};
  EXPECT_EQ(join(parts, ", "), "a, b, c");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(IsValidUtf8, AcceptsEveryPlaneAndRefusesIllFormedBytes) {
  EXPECT_TRUE(is_valid_utf8("aé€😀"));
  EXPECT_TRUE(is_valid_utf8("\xF4\x8F\xBF\xBF"));  // U+10FFFF
  for (const char* bad : {"\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xE2\x82", "\xFF", "a\xF0\x9F\x98"})
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
}

}  // namespace
}  // namespace nibble
