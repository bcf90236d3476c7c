#include "cli/terminal/message_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace nibble::cli {
namespace {

using End = TypedLine::End;

// All messages of a person who types these lines and then leaves.
std::vector<std::string> messages(std::vector<TypedLine> lines) {
  std::size_t next = 0;
  MessageReader reader([&](std::string_view) {
    return next < lines.size() ? lines[next++] : TypedLine{End::kEndOfInput, ""};
  });
  std::vector<std::string> result;
  while (const auto message = reader.next()) result.push_back(*message);
  EXPECT_EQ(next, lines.size()) << "a line was not asked for";
  return result;
}

using Messages = std::vector<std::string>;

TEST(MessageReader, ALineIsAMessageAndBlankOnesAreNone) {
  EXPECT_EQ(messages({{End::kEnter, "one"}, {End::kEnter, " \t"}, {End::kEnter, " two "}}),
            (Messages{"one", " two "}));
}

TEST(MessageReader, QuotesHoldLinesAsTheyAre) {
  EXPECT_EQ(messages({{End::kEnter, "\"\"\""},
                      {End::kEnter, "  one\\"},
                      {End::kEnter, ""},
                      {End::kEnter, "two"},
                      {End::kEnter, "\"\"\""}}),
            (Messages{"  one\\\n\ntwo"}));
}

TEST(MessageReader, QuotesMayStandBesideTheText) {
  EXPECT_EQ(messages({{End::kEnter, "\"\"\"one"}, {End::kEnter, "two\"\"\" "}}),
            (Messages{"one\ntwo"}));
  EXPECT_EQ(messages({{End::kEnter, "\"\"\"one\"\"\""}, {End::kEnter, "two"}}),
            (Messages{"one", "two"}));
}

TEST(MessageReader, BackslashAtTheEndGoesOn) {
  EXPECT_EQ(messages({{End::kEnter, "one\\"}, {End::kEnter, "two\\"}, {End::kEnter, "three"}}),
            (Messages{"one\ntwo\nthree"}));
}

TEST(MessageReader, EndOfInputEndsWhatWasBegun) {
  EXPECT_EQ(messages({{End::kEnter, "\"\"\"one"}}), (Messages{"one"}));
  EXPECT_EQ(messages({{End::kEnter, "one\\"}}), (Messages{"one\n"}));
}

TEST(MessageReader, InterruptDropsAMessageAndLeavesAtAnEmptyPrompt) {
  EXPECT_EQ(messages({{End::kInterrupt, "half"}, {End::kEnter, "whole"}}), (Messages{"whole"}));
  EXPECT_EQ(messages({{End::kEnter, "\"\"\"half"}, {End::kInterrupt, ""}, {End::kEnter, "whole"}}),
            (Messages{"whole"}));
  MessageReader reader([](std::string_view) { return TypedLine{End::kInterrupt, ""}; });
  EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace nibble::cli
