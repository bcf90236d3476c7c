#include "model/gguf/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>

#include "base/files.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/paths.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;
using test::error_kind;
using test::error_text;

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5,
                       kByte = 6;

// <unk> <s> </s> <0x00> … <0xFF>, then these.
GgufVocabulary pieces(const std::vector<std::pair<std::string, float>>& more) {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>"};
  vocabulary.token_types = {kUnknown, kControl, kControl};
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof(text), "<0x%02X>", static_cast<unsigned>(byte));
    vocabulary.tokens.emplace_back(text);
    vocabulary.token_types.push_back(kByte);
  }
  vocabulary.scores.assign(vocabulary.tokens.size(), 0);
  for (const auto& [text, score] : more) {
    vocabulary.tokens.push_back(text);
    vocabulary.scores.push_back(score);
    vocabulary.token_types.push_back(kNormal);
  }
  return vocabulary;
}
constexpr std::int32_t kFirst = 3 + 256;  // the first of `more`

GgufVocabulary words() {
  return pieces({{"▁", -1}, {"a", -2}, {"b", -3}, {"c", -4}, {"ab", -5}, {"bc", -6}, {"▁a", -7}});
}

GgufVocabulary byte_level(const std::string& pre) {
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  vocabulary.tokens = {"<|end|>", "a", "b", "1", "2", "Ġ", "ab", "12", "Ġab", "<x>"};
  vocabulary.token_types = {kControl, kNormal, kNormal, kNormal, kNormal,
                            kNormal,  kNormal, kNormal, kNormal, kUserDefined};
  vocabulary.merges = {"a b", "1 2", "Ġ ab"};
  vocabulary.bos = vocabulary.eos = 0;
  return vocabulary;
}

Ids encode(GgufVocabulary vocabulary, std::string_view text, const EncodeOptions& options = {}) {
  return tokenizer_from_gguf(std::move(vocabulary))->encode(text, options);
}

TEST(GgufPieces, MergeTheHighestScoreFirst) {
  // "▁abc": ab (−5) before bc (−6) and ▁a (−7).
  EXPECT_EQ(encode(words(), "abc"), (Ids{1, kFirst, kFirst + 4, kFirst + 3}));
  auto other = words();
  other.scores[kFirst + 5] = -1;  // now bc comes first
  EXPECT_EQ(encode(other, "abc"), (Ids{1, kFirst + 6, kFirst + 5}));
}

TEST(GgufPieces, MergeEqualScoresFromTheLeft) {
  auto equal = words();
  for (const std::size_t i : {4u, 5u, 6u}) equal.scores[kFirst + i] = -5;
  EXPECT_EQ(encode(equal, "abc"), (Ids{1, kFirst + 6, kFirst + 5}));  // ▁a, bc
}

TEST(GgufPieces, FollowTheirIdsWhereOneScoreStandsForAll) {
  auto equal = words();
  equal.scores.assign(equal.scores.size(), -1000.0f);
  EXPECT_EQ(encode(equal, "abc"), encode(words(), "abc"));
}

TEST(GgufPieces, BecomeBytesWhereTheVocabularyLacksACharacter) {
  EXPECT_EQ(encode(words(), "é"), (Ids{1, kFirst, 3 + 0xC3, 3 + 0xA9}));
  const auto tokenizer = tokenizer_from_gguf(words());
  for (const char* text : {"abc é", " a", "a  b\n", "<0x41>"})
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(GgufPieces, TakeTheBlankInFrontOnlyWhenAskedTo) {
  auto plain = words();
  plain.add_space_prefix = false;
  plain.add_bos = false;
  EXPECT_EQ(encode(plain, "ab"), (Ids{kFirst + 4}));
  plain.add_eos = true;
  EXPECT_EQ(encode(plain, "ab"), (Ids{kFirst + 4, 2}));
  EXPECT_EQ(encode(plain, "ab", {.add_special = false}), (Ids{kFirst + 4}));
}

TEST(GgufPieces, CutOutControlAndUserDefinedTokens) {
  auto vocabulary = words();
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"abc", "ac"});
  vocabulary.scores.insert(vocabulary.scores.end(), {0, 0});
  vocabulary.token_types.insert(vocabulary.token_types.end(), {kUserDefined, kUnused});
  const std::int32_t user = kFirst + 7;
  EXPECT_EQ(encode(vocabulary, "abc</s>"), (Ids{1, user, 2}));
  // Text that only looks like a control token; a user-defined one is found all the same.
  const Ids plain = encode(vocabulary, "abc</s>", {.parse_special = false});
  EXPECT_EQ(plain[1], user);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 2), 0);
  // Nothing becomes an unused token.
  EXPECT_EQ(encode(vocabulary, "ac"), (Ids{1, kFirst + 6, kFirst + 3}));
  const auto tokenizer = tokenizer_from_gguf(vocabulary);
  EXPECT_TRUE(tokenizer->is_special(2));
  EXPECT_FALSE(tokenizer->is_special(user));
  EXPECT_EQ(tokenizer->token_text(user + 1), "ac");
}

TEST(GgufByteLevel, UsesMergesAndTheNamedCut) {
  EXPECT_EQ(encode(byte_level("gpt-2"), "ab ab12"), (Ids{6, 8, 7}));
  EXPECT_EQ(encode(byte_level("smollm"), "ab ab12"), (Ids{6, 8, 3, 4}));
  EXPECT_EQ(encode(byte_level("qwen2"), "ab ab12"), (Ids{6, 8, 3, 4}));
  EXPECT_EQ(encode(byte_level("tekken"), "ab ab12"), (Ids{0, 6, 8, 3, 4}));
  EXPECT_EQ(encode(byte_level("default"), "ab ab12"), (Ids{6, 8, 7}));
  EXPECT_EQ(encode(byte_level(""), "ab ab12"), encode(byte_level("default"), "ab ab12"));
}

TEST(GgufByteLevel, BeginsWithBosAsTheFileOrTheCutSays) {
  EXPECT_EQ(encode(byte_level("llama-bpe"), "12"), (Ids{0, 7}));
  auto without = byte_level("llama-bpe");
  without.add_bos = false;
  EXPECT_EQ(encode(without, "12"), (Ids{7}));
  auto with = byte_level("gpt-2");
  with.add_bos = true;
  EXPECT_EQ(encode(with, "12"), (Ids{0, 7}));
}

TEST(GgufByteLevel, CutsOutItsOwnTokens) {
  EXPECT_EQ(encode(byte_level("gpt-2"), "a<x>b<|end|>"), (Ids{1, 9, 2, 0}));
  const auto tokenizer = tokenizer_from_gguf(byte_level("gpt-2"));
  EXPECT_EQ(tokenizer->decode(Ids{1, 9, 8, 0}), "a<x> ab");
  EXPECT_EQ(tokenizer->bos(), 0);
  EXPECT_EQ(tokenizer->eos(), 0);
  EXPECT_EQ(tokenizer->vocabulary_size(), 10);
}

TEST(GgufTokenizer, NamesTheKindsAndCutsItKnows) {
  auto vocabulary = byte_level("gpt-9");
  EXPECT_EQ(error_kind([&] { tokenizer_from_gguf(vocabulary); }), ErrorKind::kUnsupported);
  const std::string cuts = error_text([&] { tokenizer_from_gguf(vocabulary); });
  EXPECT_NE(cuts.find("gpt-9"), std::string::npos);
  EXPECT_NE(cuts.find("smollm"), std::string::npos);
  vocabulary.model = "bert";
  const std::string kinds = error_text([&] { tokenizer_from_gguf(vocabulary); });
  EXPECT_NE(kinds.find("bert"), std::string::npos);
  EXPECT_NE(kinds.find("gpt2"), std::string::npos);
}

TEST(GgufTokenizer, RefusesVocabulariesThatContradictThemselves) {
  using Change = std::function<void(GgufVocabulary&)>;
  const auto refused = [](GgufVocabulary vocabulary, const Change& change, const char* word) {
    change(vocabulary);
    EXPECT_EQ(error_kind([&] { tokenizer_from_gguf(vocabulary); }), ErrorKind::kCorruptFile)
        << word;
    const std::string text = error_text([&] { tokenizer_from_gguf(vocabulary); });
    EXPECT_NE(text.find(word), std::string::npos) << text;
  };
  refused(
      words(), [](auto& v) { v.tokens.clear(); }, "tokens");
  refused(
      words(), [](auto& v) { v.scores.pop_back(); }, "scores");
  refused(
      words(), [](auto& v) { v.scores.clear(); }, "scores");
  refused(
      words(), [](auto& v) { v.token_types.pop_back(); }, "token_type");
  refused(
      words(), [](auto& v) { v.token_types[5] = 7; }, "token_type[5]");
  refused(
      words(), [](auto& v) { v.token_types[5] = -1; }, "token_type[5]");
  refused(
      words(), [](auto& v) { v.tokens[5] = "<0x-1>"; }, "<0x-1>");
  refused(
      words(), [](auto& v) { v.tokens[5] = "<0x0a>"; }, "<0x0a>");
  refused(
      words(), [](auto& v) { v.tokens[kFirst] = "a"; }, "twice");
  refused(
      words(), [](auto& v) { v.tokens[kFirst] = "\xC3"; }, "UTF-8");
  refused(
      words(), [](auto& v) { v.bos = 100'000; }, "100000");
  refused(
      words(), [](auto& v) { v.eos = -5; }, "-5");
  refused(
      words(), [](auto& v) { v.scores[kFirst] = std::numeric_limits<float>::quiet_NaN(); },
      "not a number");
  for (const char* merge : {"", "a", " a", "a ", "a b c", "a zz", "zz b"})
    refused(
        byte_level("gpt-2"), [&](auto& v) { v.merges[1] = merge; }, "merge");
}

TEST(GgufTokenizer, RefusesWorkInTheSquareOfTheFile) {
  EXPECT_EQ(error_kind([] {
              tokenizer_from_gguf(pieces({{std::string(100'000, 'a'), 0}}));
            }),
            ErrorKind::kUnsupported);
}

TEST(GgufTokenizer, ToleratesEmptyTokens) {
  auto vocabulary = words();
  vocabulary.tokens[kFirst + 6] = "";
  vocabulary.tokens[kFirst + 5] = "";
  EXPECT_EQ(encode(vocabulary, "abc"), (Ids{1, kFirst, kFirst + 4, kFirst + 3}));
}

// Files that llama.cpp made from models with a tokenizer.json, where they are at hand.
class SharedGguf : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(SharedGguf, EncodesAsTheTokenizerFileDoes) {
  const std::filesystem::path shared = std::string(kSourceFolder) + "/../shared";
  const auto [name, file] = GetParam();
  const auto path = shared / "peers/gguf" / file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  const auto reader = open_checkpoint(path);
  ASSERT_NE(reader->gguf(), nullptr);
  const auto ours = tokenizer_from_gguf(read_gguf_vocabulary(*reader->gguf()));
  const auto expected = Tokenizer::open(shared / "models" / name);
  const std::string text = read_file(shared / "text/books_eval.txt", 16 << 20);
  const Ids ids = ours->encode(text);
  EXPECT_EQ(ids, expected->encode(text));
  EXPECT_EQ(ours->decode(ids), expected->decode(ids));
  EXPECT_EQ(ours->bos(), expected->bos());
  EXPECT_EQ(ours->eos(), expected->eos());
  EXPECT_EQ(ours->vocabulary_size(), expected->vocabulary_size());
}

INSTANTIATE_TEST_SUITE_P(All, SharedGguf,
                         testing::Values(std::pair{"ref8m", "ref8m-Q8_0.gguf"},
                                         std::pair{"stories260k", "stories260k-Q8_0.gguf"}),
                         [](const auto& test) { return std::string(test.param.first); });

}  // namespace
}  // namespace nibble
