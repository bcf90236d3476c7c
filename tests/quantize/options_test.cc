// Settings are checked when they are set, and say what is accepted.
#include "quantize/options.h"

#include <gtest/gtest.h>

#include <array>

#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::array<std::string_view, 2> kWords = {"fast", "slow"};
constexpr OptionSpec kPace{.name = "pace", .help = "how", .initial = "fast", .words = kWords};
constexpr OptionSpec kShare{
    .name = "share", .help = "of all", .initial = "0.5", .lowest = 0, .highest = 1};
constexpr OptionSpec kCount{.name = "count",
                            .help = "of rounds",
                            .initial = "auto",
                            .words = std::span(&kDecided, 1),
                            .lowest = 1,
                            .highest = 100,
                            .whole = true};

std::string refusal(const OptionSpec& spec, const std::string& value) {
  Options options;
  try {
    options.set(spec, value);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "accepted";
}

TEST(Options, StartWithTheirInitialValues) {
  const std::array specs = {&kPace, &kShare, &kCount};
  const Options options(specs);
  EXPECT_EQ(options.text("pace"), "fast");
  EXPECT_EQ(options.number("share"), 0.5);
  EXPECT_FALSE(options.decided("count"));
  EXPECT_FALSE(options.has("speed"));
}

TEST(Options, NameTheWordsTheyKnow) {
  EXPECT_EQ(refusal(kPace, "slow"), "accepted");
  const std::string text = refusal(kPace, "slwo");
  EXPECT_NE(text.find("--pace \"slwo\" is not known; did you mean slow?"), std::string::npos)
      << text;
  EXPECT_NE(text.find("one of: fast, slow"), std::string::npos) << text;
}

TEST(Options, NameTheRangeOfTheirNumbers) {
  EXPECT_EQ(refusal(kShare, "1"), "accepted");
  for (const char* value : {"1.5", "-0.1", "half", "", "nan", "inf", "0.5x"})
    EXPECT_NE(refusal(kShare, value).find("a number from 0 to 1"), std::string::npos) << value;
}

TEST(Options, TakeANumberOrAWordWhereBothAreAllowed) {
  EXPECT_EQ(refusal(kCount, "auto"), "accepted");
  EXPECT_EQ(refusal(kCount, "7"), "accepted");
  EXPECT_NE(refusal(kCount, "7.5").find("a whole number from 1 to 100, or auto"), std::string::npos)
      << refusal(kCount, "7.5");
}

}  // namespace
}  // namespace nibble
