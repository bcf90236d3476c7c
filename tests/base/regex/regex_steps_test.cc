// Where the counting callouts stand, and that what cannot be bounded is refused.
#include "base/regex/regex_steps.h"

#include <gtest/gtest.h>

#include "support/error_text.h"

namespace nibble {
namespace {

// With "!" for each callout.
std::string planted(std::string_view pattern, StepDensity density) {
  const std::string full = with_steps(pattern, density);
  std::string text;
  for (std::string_view rest = full; !rest.empty();) {
    const bool callout = rest.starts_with("(*STEP)");
    text += callout ? '!' : rest.front();
    rest.remove_prefix(callout ? 7 : 1);
  }
  return text;
}

TEST(RegexSteps, StandBeforeLoops) {
  const auto loops = [](std::string_view pattern) { return planted(pattern, StepDensity::kLoops); };
  EXPECT_EQ(loops("abc*d?"), "ab!c*d?");
  EXPECT_EQ(loops(R"(\p{L}{1,3}\x{41}+[^]x[:alpha:]]{5,})"),
            R"(\p{L}{1,3}!\x{41}+![^]x[:alpha:]]{5,})");
  EXPECT_EQ(loops("(a|b)+(?:c)?(?=d){2}"), "(!(?:)a|b)+(?:c)?(?=!(?:)d){2}");
  EXPECT_EQ(loops(R"((a)\1\k<1>)"), R"((a)!\1!\k<1>)");
  EXPECT_EQ(loops("a{2}{3}{9}"), "!a{2}{3}{9}");
  EXPECT_EQ(loops("(?x)a # b*\n *c"), "(?x)!a # b*\n *c");
  EXPECT_EQ(loops("(?<=a?b)c"), "(?<=a?b)c");
  EXPECT_EQ(loops(std::string(257, 'a')), "!" + std::string(257, 'a'));
}

TEST(RegexSteps, StandAtEveryChoice) {
  const auto choices = [](std::string_view pattern) {
    return planted(pattern, StepDensity::kChoices);
  };
  EXPECT_EQ(choices("a|b?"), "!a|!!b?");
  EXPECT_EQ(choices("(?:a|)*"), "!(?:!a|!(?:))*");
  EXPECT_EQ(choices("(?i:a)(?<!x|y)"), "!(?i:!a)(?<!x|y)");
}

TEST(RegexSteps, NamesWhatCannotBeBounded) {
  const auto refusal = [](std::string_view pattern) {
    return test::error_text([&] { with_steps(pattern, StepDensity::kLoops); });
  };
  EXPECT_EQ(refusal("(?<=a*)b"), "a look-behind of many lengths cannot be bounded");
  EXPECT_EQ(refusal("(?<=(?:a{1,20}){20})b"), "a look-behind of many lengths cannot be bounded");
  EXPECT_EQ(refusal("(?~ab)"), "an absence operator cannot be bounded");
  EXPECT_EQ(refusal("(*FAIL)"), "a callout cannot be bounded");
  EXPECT_EQ(refusal("(?(a|b)c)"), "a condition that is no group cannot be bounded");
}

}  // namespace
}  // namespace nibble
