// Hostile JSON gets a clear error within a second.
#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;

std::string refusal(std::string_view text) {
  EXPECT_EQ(error_kind([&] { parse_json(text); }), ErrorKind::kCorruptFile) << text.substr(0, 80);
  return error_text([&] { parse_json(text); });
}

TEST(ParseJson, KeepsTheOrderOfKeys) {
  EXPECT_EQ(parse_json(R"({"z":1,"a":[true,null,"é"]})").dump(), R"({"z":1,"a":[true,null,"é"]})");
}

TEST(ParseJson, RefusesAKeyGivenTwiceAtAnyLevel) {
  EXPECT_NE(refusal(R"({"a":1,"b":2,"a":3})").find("\"a\" is given twice"), std::string::npos);
  EXPECT_NE(refusal(R"([{"x":{"k":1,"k":1}}])").find("\"k\""), std::string::npos);
  EXPECT_NE(refusal(R"({"a":1,"\u0061":2})").find("\"a\""), std::string::npos);
}

TEST(ParseJson, AllowsTheSameKeyInDifferentObjects) {
  EXPECT_EQ(parse_json(R"({"a":{"a":1},"b":{"a":1}})").size(), 2u);
}

TEST(ParseJson, RefusesDeepNestingInsteadOfOverflowingTheStack) {
  refusal(std::string(100'000, '['));
  refusal(std::string(100'000, '[') + std::string(100'000, ']'));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  refusal(objects);
}

TEST(ParseJson, AcceptsNestingUpToItsLimit) {
  EXPECT_NO_THROW(parse_json(std::string(128, '[') + std::string(128, ']')));
  refusal(std::string(129, '[') + std::string(129, ']'));
}

TEST(ParseJson, RefusesBadUtf8AndLoneSurrogates) {
  for (const char* text : {"\"\xFF\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xE2\x82\"",
                           R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\ud800")"})
    refusal(text);
}

TEST(ParseJson, RefusesNumbersThatNoDoubleHolds) {
  refusal("1e400");
  refusal("-1e400");
}

TEST(ParseJson, RefusesBrokenText) {
  for (const char* text :
       {"", "{", "{\"a\"}", "[1,]", "nul", "{} {}", "'a'", "01", "[1 2]", "\x01"})
    refusal(text);
  refusal(std::string_view("{}\0{", 4));
}

TEST(ParseJson, StopsAtItsLimitOfKeys) {
  EXPECT_EQ(error_kind([] { parse_json(R"({"a":1,"b":2,"c":3})", {.keys = 2}); }),
            ErrorKind::kCorruptFile);
}

TEST(ReadJson, NamesTheFile) {
  const test::TempDir dir;
  write_file(dir / "config.json", "{");
  EXPECT_NE(error_text([&] { read_json(dir / "config.json"); }).find("config.json"),
            std::string::npos);
}

TEST(JsonInt, ChecksTypeAndRange) {
  const Json object = parse_json(R"({"a":7,"f":7.0,"h":7.5,"s":"7","big":18446744073709551615,
                                     "n":null,"e":1e30,"m":-3})");
  EXPECT_EQ(json_int(object, "a", 0, 1, 10), 7);
  EXPECT_EQ(json_int(object, "f", 0, 1, 10), 7);
  EXPECT_EQ(json_int(object, "n", 5, 1, 10), 5);
  EXPECT_EQ(json_int(object, "none", 5, 1, 10), 5);
  EXPECT_EQ(json_int(object, "m", 0, -5, 10), -3);
  for (const char* key : {"h", "s", "big", "e"})
    EXPECT_EQ(error_kind([&] { json_int(object, key, 0, 0, 10); }), ErrorKind::kCorruptFile) << key;
  EXPECT_NE(error_text([&] { json_int(object, "a", 0, 1, 5); }).find("\"a\" is 7"),
            std::string::npos);
}

TEST(JsonGetters, RefuseAnotherType) {
  const Json object = parse_json(R"({"t":true,"s":"x","x":1.5})");
  EXPECT_TRUE(json_bool(object, "t", false));
  EXPECT_EQ(json_string(object, "s", ""), "x");
  EXPECT_EQ(json_number(object, "x", 0), 1.5);
  EXPECT_EQ(error_kind([&] { json_bool(object, "s", false); }), ErrorKind::kCorruptFile);
  EXPECT_EQ(error_kind([&] { json_string(object, "t", ""); }), ErrorKind::kCorruptFile);
  EXPECT_EQ(error_kind([&] { json_number(object, "s", 0); }), ErrorKind::kCorruptFile);
}

}  // namespace
}  // namespace nibble
