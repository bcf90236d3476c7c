// Words for people.
#include "base/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

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

TEST(NearestName, IsNothingForALetterThatNoNameContains) {
  const std::vector<std::string> known = {"-h", "-V", "go"};
  EXPECT_EQ(nearest_name("x", known), "");
  EXPECT_EQ(nearest_name("", known), "");
}

TEST(NearestName, AllowsMoreMistakesInALongName) {
  const std::vector<std::string> known = {"model.layers.0.self_attn.q_proj.weight"};
  EXPECT_EQ(nearest_name("layers.0.self_attn.q_proj.weight", known), known[0]);
  EXPECT_EQ(nearest_name("q_proj", known), "");
}

TEST(NearestName, TakesTheFirstOfTwoThatAreEquallyNear) {
  const std::vector<std::string> known = {"int4", "int2"};
  EXPECT_EQ(nearest_name("int3", known), "int4");
}

TEST(UnknownWord, SaysWhatWasFoundWhatIsNearAndWhatThereIs) {
  const std::vector<std::string> known = {"gptq", "rtn"};
  const Error error = unknown_word("method", "gptp", known);
  EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
  EXPECT_STREQ(error.what(),
               "unknown method \"gptp\"; did you mean gptq?\n  fix: one of: gptq, rtn");
}

TEST(UnknownWord, GuessesNothingWhereNothingIsNear) {
  const std::vector<std::string> known = {"gptq", "rtn"};
  EXPECT_STREQ(unknown_word("method", "spectral", known, " (nibble methods tells more)").what(),
               "unknown method \"spectral\"\n  fix: one of: gptq, rtn (nibble methods tells more)");
}

TEST(Cat, PutsValuesOfAnyKindTogether) {
  EXPECT_EQ(cat("tensor ", 3, " of ", std::string("4"), ": ", 0.5, ' ', true),
            "tensor 3 of 4: 0.5 true");
  EXPECT_EQ(cat(), "");
}

TEST(ListText, ShowsAListAsPeopleWriteIt) {
  EXPECT_EQ(list_text(std::vector<int>{3, 4}), "[3, 4]");
  EXPECT_EQ(list_text(std::vector<int>{}), "[]");
}

TEST(HumanSeconds, IsFiniteForTimesThatAreNot) {
  EXPECT_EQ(human_seconds(1e300), "100000:00:00");
  EXPECT_EQ(human_seconds(std::numeric_limits<double>::infinity()), "100000:00:00");
  EXPECT_EQ(human_seconds(59.6), "01:00");
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
