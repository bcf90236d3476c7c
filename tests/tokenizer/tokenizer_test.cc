// Opening files, special tokens, invalid text, and what a caller may ask a tokenizer.
#include "nibble/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "support/error_text.h"
#include "support/temp_dir.h"
#include "tokenizer/golden.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;
using test::error_kind;
using test::error_text;
using test::golden_tokenizer_json;

void write(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(OpenTokenizer, TakesTheFolderOrTheFileAndTheNamesBesideIt) {
  const test::TempDir folder;
  write(folder / "tokenizer.json", golden_tokenizer_json("sentencepiece", "llama legacy"));
  write(folder / "tokenizer_config.json",
        R"({"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}})");
  for (const auto& path : {folder.path(), folder / "tokenizer.json"}) {
    const auto tokenizer = Tokenizer::open(path);
    EXPECT_EQ(tokenizer->bos(), 1);
    EXPECT_EQ(tokenizer->eos(), 2);
  }
}

TEST(OpenTokenizer, NamesTheFileThatIsThereInstead) {
  const test::TempDir folder;
  write(folder / "tokenizer.model", "x");
  EXPECT_EQ(error_kind([&] { Tokenizer::open(folder.path()); }), ErrorKind::kNotFound);
  const std::string text = error_text([&] { Tokenizer::open(folder.path()); });
  EXPECT_NE(text.find("tokenizer.model is there, but not read"), std::string::npos) << text;
}

TEST(OpenTokenizer, SaysWhichFileIsWrong) {
  const test::TempDir folder;
  write(folder / "tokenizer.json", "{\"model\": 3}");
  const std::string text = error_text([&] { Tokenizer::open(folder.path()); });
  EXPECT_NE(text.find("tokenizer.json: \"model\" is of type number"), std::string::npos) << text;
}

TEST(Tokenizer, LlamaClassesRebuildThePostProcessorFromTheirFlags) {
  const std::string json = golden_tokenizer_json("sentencepiece", "llama legacy");
  const auto ids = [&](const char* config) { return Tokenizer::parse(json, config)->encode("a"); };
  const Ids plain = Tokenizer::parse(json)->encode("a", {.add_special = false});
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(ids(R"({"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": false})"), plain);
  EXPECT_EQ(ids(R"({"tokenizer_class": "LlamaTokenizer", "add_eos_token": true})"),
            (Ids{1, plain[0], 2}));
  EXPECT_EQ(ids(R"({"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": false})"),
            (Ids{1, plain[0]}));
}

TEST(Tokenizer, CanReadSpecialTokensAsPlainText) {
  const auto tokenizer = Tokenizer::parse(golden_tokenizer_json("byte_level", "gpt2"));
  const std::int32_t end = tokenizer->token_id("<|end|>").value();
  const Ids parsed = tokenizer->encode("x<|end|>");
  const Ids plain = tokenizer->encode("x<|end|>", {.parse_special = false});
  EXPECT_EQ(parsed.back(), end);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), end), 0);
  EXPECT_EQ(tokenizer->decode(plain), "x<|end|>");
  EXPECT_EQ(tokenizer->decode(parsed), "x");
}

TEST(Tokenizer, ReadsInvalidBytesAsReplacementCharacters) {
  const auto tokenizer = Tokenizer::parse(golden_tokenizer_json("byte_level", "gpt2"));
  const auto read = [&](const char* text) { return tokenizer->decode(tokenizer->encode(text)); };
  EXPECT_EQ(read("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(read("\xE4\xBD"), "\uFFFD");  // a character cut short is one
  EXPECT_EQ(read("\xE4\xBDz"), "\uFFFDz");
  EXPECT_EQ(read("\xC0\x80"), "\uFFFD\uFFFD");  // an overlong form: two bytes, neither can begin
  EXPECT_EQ(read("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
}

// A tokenizer of a, b, x and blanks, which writes capitals as small letters, with these tokens.
std::unique_ptr<Tokenizer> with_added(const std::string& tokens) {
  return Tokenizer::parse(R"({"normalizer": {"type": "Lowercase"}, "added_tokens": [)" + tokens +
                          R"(], "model": {"type": "BPE", "merges": [],
                                          "vocab": {"a": 0, "b": 1, "x": 2, " ": 3}}})");
}

// tokenizers 0.22; 0.23 takes any of them, another one each time.
TEST(Tokenizer, OfTokensWithOneSpellingKnowsTheFirstASpecialOneBeforeOthers) {
  const auto ids = [](const char* first, const char* second, const char* third) {
    std::string tokens;
    for (const char* token : {first, second, third})
      tokens += std::string(tokens.empty() ? "" : ",") + R"({"normalized": true, )" + token + "}";
    return with_added(tokens)->encode("xABxab");
  };
  EXPECT_EQ(ids(R"("content": "Ab")", R"("content": "aB")", R"("content": "AB")"),
            (Ids{2, 4, 2, 4}));
  EXPECT_EQ(ids(R"("content": "Ab")", R"("content": "aB", "special": true)",
                R"("content": "AB", "special": true)"),
            (Ids{2, 5, 2, 5}));
}

// tokenizers ends with a panic here; nothing may be read twice.
TEST(Tokenizer, LeavesOutATokenThatIsAllInTheBlanksOfTheOneBefore) {
  const auto tokenizer = with_added(R"({"content": "[R]", "rstrip": true},
                                       {"content": "\n", "lstrip": true})");
  EXPECT_EQ(tokenizer->encode("a[R] \n  b\na"), (Ids{0, 4, 1, 5, 0}));
}

TEST(Tokenizer, LeavesOutIdsThatNameNoToken) {
  const auto tokenizer = Tokenizer::parse(golden_tokenizer_json("byte_level", "gpt2"));
  Ids ids = tokenizer->encode("the dog");
  ids.insert(ids.begin(), {-1, tokenizer->vocabulary_size(), INT32_MAX, INT32_MIN});
  EXPECT_EQ(tokenizer->decode(ids), "the dog");
  EXPECT_EQ(tokenizer->token_text(-1), "");
}

TEST(Tokenizer, KnowsItsTokensInBothDirections) {
  const auto tokenizer = Tokenizer::parse(golden_tokenizer_json("byte_level", "llama3"));
  for (std::int32_t id = 0; id < tokenizer->vocabulary_size(); ++id)
    EXPECT_EQ(tokenizer->token_id(tokenizer->token_text(id)), id);
  EXPECT_TRUE(tokenizer->is_special(tokenizer->token_id("<|begin|>").value()));
  EXPECT_FALSE(tokenizer->is_special(tokenizer->token_id("<s>").value()));
  EXPECT_EQ(tokenizer->token_id("no such token"), std::nullopt);
}

TEST(StreamDecoder, HoldsACharacterBackUntilItsLastByte) {
  const auto tokenizer = Tokenizer::parse(golden_tokenizer_json("byte_level", "gpt2"));
  const Ids ids = tokenizer->encode("\U0001F600");
  ASSERT_EQ(ids.size(), 4u);
  const auto stream = tokenizer->stream();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(stream->add(ids[i]), "");
  EXPECT_EQ(stream->add(ids[3]), "\U0001F600");
  EXPECT_EQ(stream->add(ids[0]), "");
  EXPECT_EQ(stream->finish(), "\uFFFD");
}

TEST(StreamDecoder, ShowsWordsOfASentencePieceModelAtOnce) {
  const auto tokenizer = Tokenizer::parse(golden_tokenizer_json("sentencepiece", "llama legacy"));
  const Ids ids = tokenizer->encode("the dog");
  const auto stream = tokenizer->stream();
  std::string text;
  for (const std::int32_t id : ids) text += stream->add(id);
  EXPECT_EQ(text, "the dog");  // before finish()
}

}  // namespace
}  // namespace nibble
