#include "checkpoint/strict_json.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "support/error_text.h"

namespace nibble {
namespace {

// Reads {"name": number, …} and nothing else.
class Numbers : public StrictJson {
 public:
  std::string found;

 private:
  std::string refusal(const std::string& why) const override { return cat("numbers: ", why); }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t& name) override {
    found += name + "=";
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    found += std::to_string(number) + ";";
    return true;
  }
};

std::string refused(const std::string& text) {
  Numbers numbers;
  EXPECT_EQ(test::error_kind([&] { numbers.run(text); }), ErrorKind::kCorruptFile)
      << text.substr(0, 60);
  return test::error_text([&] { numbers.run(text); });
}

TEST(StrictJson, GivesTheEventsThatTheReaderAccepts) {
  Numbers numbers;
  numbers.run("{ \"a\": 1,\n\t\"b c\": 18446744073709551615 }\r\n");
  EXPECT_EQ(numbers.found, "a=1;b c=18446744073709551615;");
}

TEST(StrictJson, RefusesEveryEventThatTheReaderDoesNotAccept) {
  for (const auto& [value, name] : {std::pair{"null", "null"},
                                    {"true", "true or false"},
                                    {"-1", "a negative number"},
                                    {"1.5", "the number 1.5"},
                                    {"1e3", "the number 1e3"},
                                    {"\"x\"", "a string"},
                                    {"[]", "an array"},
                                    {"18446744073709551616", "the number 18446744073709551616"}})
    EXPECT_EQ(refused(cat("{\"a\": ", value, "}")),
              cat("numbers: ", name, " where the format has none"));
}

TEST(StrictJson, SaysWhereTheSyntaxBreaks) {
  EXPECT_NE(refused("{\"a\": 1,}").find("bad JSON at byte 9"), std::string::npos);
  for (const char* text : {"", "{", "{\"a\"}", "{\"a\":1} {", "{'a':1}", "{\"a\":01}", "{\"a\":1"})
    EXPECT_TRUE(refused(text).starts_with("numbers: bad JSON at byte ")) << text;
}

TEST(StrictJson, RefusesControlCharactersInsideAndOutsideOfStrings) {
  EXPECT_EQ(refused("{\"a\x01\": 1}"), "numbers: control character at byte 3");
  EXPECT_EQ(refused("{\"a\nb\": 1}"), "numbers: control character at byte 3");
  EXPECT_EQ(refused("{\x0B\"a\": 1}"), "numbers: control character at byte 1");
  // What follows a zero byte would never be looked at.
  EXPECT_EQ(refused(std::string("{}\0{", 4)), "numbers: control character at byte 2");
}

TEST(StrictJson, KnowsAnEscapedQuoteFromTheEndOfAString) {
  Numbers numbers;
  numbers.run(R"({"a\"": 1, "b\\": 2})");
  EXPECT_EQ(numbers.found, "a\"=1;b\\=2;");
}

TEST(StrictJson, RefusesBytesThatAreNoUtf8) {
  EXPECT_EQ(refused("{\"\xFF\": 1}"), "numbers: not valid UTF-8 (InvalidHeader)");
}

TEST(StrictJson, RefusesTokensFarLongerThanAnyNameOrNumber) {
  const std::string longest(StrictJson::kMaxToken + 1, '1');
  EXPECT_NE(refused("{\"a\": " + longest + "}").find("string or number at byte 5 is longer than"),
            std::string::npos);
  EXPECT_NE(refused("{\"" + longest + "\": 1}").find("string or number at byte 1 is longer than"),
            std::string::npos);
}

TEST(StrictJson, CutsTheParsersReasonToALengthThatOneCanRead) {
  EXPECT_LT(refused("{\"a\": \"" + std::string(100'000, 'x') + "\\q\"}").size(), 500u);
}

}  // namespace
}  // namespace nibble
