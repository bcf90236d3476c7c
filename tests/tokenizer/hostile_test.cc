// tokenizer.json is untrusted: whatever it holds, reading it ends with a tokenizer or an Error.
#include <gtest/gtest.h>

#include <chrono>

#include "base/random.h"
#include "base/text.h"
#include "nibble/tokenizer.h"
#include "support/allocation.h"
#include "support/error_text.h"
#include "support/mutate.h"
#include "tokenizer/golden.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;

// A tokenizer of the letters a and b with these members instead of the usual ones.
std::string tiny(std::string_view vocab, std::string_view merges = "[]",
                 std::string_view rest = "\"normalizer\":null") {
  return cat("{\"version\":\"1.0\",", rest, ",\"model\":{\"type\":\"BPE\",\"vocab\":", vocab,
             ",\"merges\":", merges, "}}");
}

void expect_refused(const std::string& json, ErrorKind kind, const std::string& part) {
  EXPECT_EQ(error_kind([&] { Tokenizer::parse(json); }), kind) << json.substr(0, 200);
  const std::string text = error_text([&] { Tokenizer::parse(json); });
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(HostileTokenizer, TheTinyOneItselfIsFine) {
  EXPECT_EQ(Tokenizer::parse(tiny(R"({"a":0,"b":1,"ab":2})", R"(["a b"])"))->encode("ab").size(),
            1u);
}

TEST(HostileTokenizer, RefusesBadIds) {
  using enum ErrorKind;
  expect_refused(tiny(R"({"a":-1})"), kCorruptFile, "token \"a\" has the id -1");
  expect_refused(tiny(R"({"a":4000000000})"), kCorruptFile, "has the id 4000000000");
  expect_refused(tiny(R"({"a":18446744073709551615})"), kCorruptFile, "token \"a\" has the id");
  expect_refused(tiny(R"({"a":1.5})"), kCorruptFile, "is not an integer");
  expect_refused(tiny(R"({"a":"0"})"), kCorruptFile, "is not an integer");
  expect_refused(tiny(R"({"a":{}})"), kCorruptFile, "is not an integer");
  expect_refused(tiny(R"({"a":0,"b":0})"), kCorruptFile, "have the same id 0");
  expect_refused(tiny(R"({"a":0,"a":1})"), kCorruptFile, "token \"a\" is given twice");
  expect_refused(tiny(R"(["a","b"])"), kCorruptFile, "\"vocab\" is missing or not an object");
}

TEST(HostileTokenizer, RefusesBadMerges) {
  using enum ErrorKind;
  const char* vocab = R"({"a":0,"b":1})";
  expect_refused(tiny(vocab, R"(["a b"])"), kCorruptFile, "needs the token \"ab\"");
  expect_refused(tiny(vocab, R"([["a","z"]])"), kCorruptFile, "merge 0");
  expect_refused(tiny(vocab, R"(["a b b"])"), kCorruptFile, "is not two tokens and a blank");
  expect_refused(tiny(vocab, R"([["a"]])"), kCorruptFile, "not two tokens");
  expect_refused(tiny(vocab, R"([["a","b","a"]])"), kCorruptFile, "more than two tokens");
  expect_refused(tiny(vocab, R"([[["a"]]])"), kCorruptFile, "neither a string nor two strings");
  expect_refused(tiny(vocab, R"([3])"), kCorruptFile, "neither a string nor two strings");
  expect_refused(tiny(vocab, "null"), kCorruptFile, "\"merges\" is missing or not an array");
}

TEST(HostileTokenizer, NamesComponentsItDoesNotKnow) {
  const auto with = [](const char* rest) { return tiny(R"({"a":0})", "[]", rest); };
  using enum ErrorKind;
  expect_refused(with(R"("normalizer":{"type":"Precompiled"})"), kUnsupported,
                 "normalizer \"Precompiled\" is not supported; known: Sequence, Prepend");
  expect_refused(with(R"("pre_tokenizer":{"type":"UnicodeScripts"})"), kUnsupported,
                 "pre_tokenizer \"UnicodeScripts\"");
  expect_refused(with(R"("decoder":{"type":"CTC"})"), kUnsupported, "decoder \"CTC\"");
  expect_refused(with(R"("post_processor":{"type":7})"), kCorruptFile, "\"type\" is 7");
  expect_refused(with(R"("decoder":[1,2])"), kCorruptFile, "expected an object with \"type\"");
  expect_refused(R"({"model":{"type":"Unigram","vocab":[["a",0.5]]}})", kUnsupported,
                 "model \"Unigram\" is not supported; known: BPE");
  expect_refused(with(R"("normalizer":null,"normalizer":null)"), kCorruptFile, "given twice");
}

TEST(HostileTokenizer, RefusesDeepAndWideChains) {
  std::string deep = R"({"type":"NFC"})";
  for (int i = 0; i < 20; ++i) deep = cat(R"({"type":"Sequence","normalizers":[)", deep, "]}");
  EXPECT_NO_THROW(Tokenizer::parse(tiny(R"({"a":0})", "[]", cat("\"normalizer\":", deep))));
  for (int i = 0; i < 20; ++i) deep = cat(R"({"type":"Sequence","normalizers":[)", deep, "]}");
  expect_refused(tiny(R"({"a":0})", "[]", cat("\"normalizer\":", deep)), ErrorKind::kUnsupported,
                 "nested deeper than 64 levels");
  std::string wide = R"({"type":"NFC"})";
  for (int i = 0; i < 300; ++i) wide += R"(,{"type":"NFC"})";
  expect_refused(tiny(R"({"a":0})", "[]",
                      cat(R"("normalizer":{"type":"Sequence","normalizers":[)", wide, "]}")),
                 ErrorKind::kUnsupported, "a chain of more than 256 components");
}

std::string replacing(std::string_view pattern, std::string_view content, int times) {
  std::string parts;
  for (int i = 0; i < times; ++i)
    parts += cat(i > 0 ? "," : "", R"({"type":"Replace","pattern":{"Regex":")", pattern,
                 R"("},"content":")", content, "\"}");
  return tiny(R"({"a":0})", "[]",
              cat(R"("normalizer":{"type":"Sequence","normalizers":[)", parts, "]}"));
}

TEST(HostileTokenizer, StopsReplacementsThatBlowTheTextUp) {
  const auto tokenizer = Tokenizer::parse(replacing("a", "aaaaaaaaaa", 30));
  const test::AllocationPeak peak;
  const std::string text = error_text([&] { tokenizer->encode("aaaa"); });
  EXPECT_NE(text.find("blow this text up"), std::string::npos) << text;
  EXPECT_LT(peak.bytes(), 16u << 20);
}

TEST(HostileTokenizer, NamesAPatternThatDoesNotCompile) {
  expect_refused(replacing("(a", "", 1), ErrorKind::kCorruptFile,
                 "normalizer Sequence: normalizer Replace: pattern \"(a\" does not compile");
}

TEST(HostileTokenizer, NamesAPatternThatNeverEnds) {
  const auto tokenizer = Tokenizer::parse(replacing("(a+)+b", "", 1));
  const auto start = std::chrono::steady_clock::now();
  const std::string text = error_text([&] { tokenizer->encode(std::string(5000, 'a')); });
  EXPECT_NE(text.find("pattern \"(a+)+b\" needs too much work"), std::string::npos) << text;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(HostileTokenizer, SurvivesTwoThousandMutations) {
  const std::vector<std::string> valid = {
      test::golden_tokenizer_json("byte_level", "llama3"),
      test::golden_tokenizer_json("sentencepiece", "llama legacy"),
      test::golden_tokenizer_json("added_tokens", "accents")};
  Random random(7);
  int refused = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2000; ++i) {
    const std::string json = test::mutated_json(valid[random.below(valid.size())], random);
    const test::AllocationPeak peak;
    try {
      const auto tokenizer = Tokenizer::parse(json);
      const auto ids = tokenizer->encode("The quick <s> brown [L] f\u00f6x \u4f60\xff 12345\n");
      tokenizer->decode(ids, false);
    } catch (const Error&) {
      ++refused;
    }
    EXPECT_LT(peak.bytes(), 2 * json.size() + (64u << 20)) << "mutation " << i;
  }
  EXPECT_GT(refused, 500);
  EXPECT_LT(refused, 2000);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(120));
}

}  // namespace
}  // namespace nibble
