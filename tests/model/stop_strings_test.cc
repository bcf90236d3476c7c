#include "model/stop_strings.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "nibble/error.h"
#include "support/error_text.h"

namespace nibble {
namespace {

using Texts = std::vector<std::string>;

// What each piece gave, with what was left at the end.
Texts given(const Texts& stops, const Texts& pieces) {
  StopStrings text(stops);
  Texts parts;
  for (const std::string& piece : pieces) parts.push_back(text.add(piece));
  parts.push_back(text.finish());
  return parts;
}

TEST(StopStrings, LetsTextThroughAtOnceWhenThereAreNone) {
  EXPECT_EQ(given({}, {"Hel", "lo"}), (Texts{"Hel", "lo", ""}));
}

TEST(StopStrings, EndsTheTextBeforeTheStopStringInsideAPiece) {
  EXPECT_EQ(given({"END"}, {"one END two", "three"}), (Texts{"one ", "", ""}));
}

TEST(StopStrings, HoldsBackWhatMayBeginAStopString) {
  EXPECT_EQ(given({"\nUser:"}, {"Hi\n", "Us", "er", ": x"}), (Texts{"Hi", "", "", "", ""}));
  EXPECT_EQ(given({"\nUser:"}, {"Hi\n", "Us", "age", "\nU"}),
            (Texts{"Hi", "", "\nUsage", "", "\nU"}));
}

TEST(StopStrings, FindsAStopStringThatBeginsInsideAFailedOne) {
  EXPECT_EQ(given({"aab"}, {"aaa", "b!"}), (Texts{"a", "", ""}));
  EXPECT_EQ(given({"abcx", "bcd"}, {"abc", "d"}), (Texts{"", "a", ""}));
}

TEST(StopStrings, TakesTheOneThatIsCompleteFirst) {
  EXPECT_EQ(given({"abc", "b"}, {"abc"}), (Texts{"a", ""}));
  EXPECT_EQ(given({"bc", "abc"}, {"xabc"}), (Texts{"x", ""}));
}

TEST(StopStrings, KeepsCharactersWhole) {
  // "é" and "è" share their first byte, "😀" and "😁" three.
  EXPECT_EQ(given({"é", "😀😀"}, {"è", "x😀", "😁", "é"}), (Texts{"è", "x", "😀😁", "", ""}));
}

TEST(StopStrings, SaysWhetherTheTextHasEnded) {
  StopStrings text({"stop"});
  text.add("sto");
  EXPECT_FALSE(text.found());
  text.add("p");
  EXPECT_TRUE(text.found());
}

TEST(StopStrings, RefusesWhatCanEndNoText) {
  for (const Texts& stops :
       {Texts{""}, Texts{"\xC3"}, Texts{std::string(5000, 'a')}, Texts(65, "a")})
    EXPECT_EQ(test::error_kind([&] { StopStrings text(stops); }), ErrorKind::kInvalidArgument);
}

// The text up to the first stop string, found the slow way.
std::string expected(const std::string& text, const Texts& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops)
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopStrings, GivesTheSameForAnyPieces) {
  Random random(11);
  const Texts letters = {"a", "b", "é", "è"};
  const auto word = [&](std::size_t length) {
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text += letters[random.below(letters.size())];
    return text;
  };
  for (int round = 0; round < 500; ++round) {
    const Texts stops = {word(1 + random.below(4)), word(2 + random.below(5))};
    StopStrings stop(stops);
    std::string text, shown;
    for (std::size_t i = 0; i < 8; ++i) {
      const std::string piece = word(random.below(4));
      const std::string part = stop.add(piece);
      EXPECT_TRUE(is_valid_utf8(part));
      text += piece;
      shown += part;
    }
    EXPECT_EQ(shown + stop.finish(), expected(text, stops))
        << text << " | " << stops[0] << " " << stops[1];
  }
}

}  // namespace
}  // namespace nibble
