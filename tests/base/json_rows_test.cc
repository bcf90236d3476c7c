#include "base/json_rows.h"

#include <gtest/gtest.h>

#include "nibble/error.h"
#include "support/error_text.h"
#include "support/mutate.h"

namespace nibble {
namespace {

using test::error_text;

std::vector<Json> rows(std::string_view text) {
  std::vector<Json> values;
  JsonRows reader(text);
  while (auto row = reader.next()) values.push_back(std::move(row->value));
  return values;
}

std::vector<std::size_t> lines(std::string_view text) {
  std::vector<std::size_t> result;
  JsonRows reader(text);
  while (const auto row = reader.next()) result.push_back(row->line);
  return result;
}

TEST(JsonRows, AreTheSameInEveryForm) {
  const std::vector<Json> expected = {{{"a", "x]{\"\\"}}, {{"a", "y"}}};
  for (const char* text : {
           R"({"a":"x]{\"\\"})"
           "\n"
           R"({"a":"y"})",
           "\r\n{\"a\": \"x]{\\\"\\\\\"}\r\n\r\n{\"a\": \"y\"}\r\n",
           R"([{"a":"x]{\"\\"},{"a":"y"}])",
           "[\n  {\n    \"a\": \"x]{\\\"\\\\\"\n  },\n  {\n    \"a\": \"y\"\n  }\n]\n",
           R"({"a":"x]{\"\\"}{"a":"y"})",
       }) {
    EXPECT_TRUE(JsonRows::recognise(text)) << text;
    EXPECT_EQ(rows(text), expected) << text;
  }
}

TEST(JsonRows, MayBeStrings) {
  const std::vector<Json> expected = {"one", "two"};
  for (const char* text :
       {"[\"one\", \"two\"]", "[\n \"one\",\n \"two\"\n]", "\"one\"\n\"two\"\n"}) {
    EXPECT_TRUE(JsonRows::recognise(text)) << text;
    EXPECT_EQ(rows(text), expected) << text;
  }
}

TEST(JsonRows, SayOnWhichLineTheyBegin) {
  EXPECT_EQ(lines("{\"a\": 1}\n\n{\n\"a\": 2}\n{\"a\": 3}"), (std::vector<std::size_t>{1, 3, 5}));
  EXPECT_EQ(lines("[\n{\"a\":\n1},\n\n{\"a\": 2}]"), (std::vector<std::size_t>{2, 5}));
}

TEST(JsonRows, AreNotSeenInProseThatBeginsWithABracketOrAQuotationMark) {
  for (const char* text :
       {"{chapter one}\n\nIt was late.", "{\"Hello\" she said}", "{}  is how a block begins",
        "[1] See the note.", "[INST] hi [/INST]", "[[A link]] in a wiki", "[\"Yes,\" he said]",
        "[\"Yes\", he said]", "[\"Yes\", \"No\"] were the answers.\nNo more.",
        "\"Hello,\" she said.\nHe said nothing.", "\"A line in quotation marks\"\nand one without",
        "", " \n", "{", "[", "{'tis the season}"})
    EXPECT_FALSE(JsonRows::recognise(text)) << text;
}

TEST(JsonRows, AreSeenWhenTheyAreDamaged) {
  for (const char* text : {"{\"text\": \"a\", }", "{\"text\": ", "{'text': 'as Python prints it'}",
                           "[{\"text\": \"a\"}", "[\"one\", \"two\",", "[\n\"one\",\n\"two\"\n"})
    EXPECT_TRUE(JsonRows::recognise(text)) << text;
  EXPECT_NE(error_text([] { rows("{\"a\": 1}\n{\"a\": 1"); }).find("line 2"), std::string::npos);
  EXPECT_NE(error_text([] { rows("{\"a\": 1}\n\n{\"a\": }"); }).find("line 3"), std::string::npos);
  EXPECT_NE(error_text([] { rows("{\"a\": 1}\nand then"); }).find("line 2"), std::string::npos);
  EXPECT_NE(error_text([] { rows("[{\"a\": 1}\n{\"a\": 2}]"); }).find("line 2: expected a comma"),
            std::string::npos);
  EXPECT_NE(error_text([] { rows("[{\"a\": 1},\n{\"a\": 2}"); }).find("does not end"),
            std::string::npos);
  EXPECT_NE(error_text([] { rows("[{\"a\": 1}]\nmore"); }).find("line 2: more follows"),
            std::string::npos);
}

// Ends with rows or an Error, whatever is wrong; each row was a part of the text.
TEST(JsonRows, EndWhateverIsWrongWithTheText) {
  const std::string valid[] = {
      "{\"text\": \"one\", \"n\": 1}\n{\"text\": \"two\", \"n\": [2, 3]}\n",
      "[{\"text\": \"one\", \"n\": 1},\n {\"text\": \"two\"}]", "[\"one\", \"two\",\n\"three\"]"};
  Random random(5);
  std::size_t read = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = test::mutated_json(valid[random.below(3)], random);
    if (!JsonRows::recognise(text)) continue;
    try {
      EXPECT_LE(rows(text).size(), text.size());
      ++read;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorruptFile);
      EXPECT_NE(std::string(error.what()).find("line "), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(read, 200u);
  EXPECT_GT(refused, 200u);
}

}  // namespace
}  // namespace nibble
