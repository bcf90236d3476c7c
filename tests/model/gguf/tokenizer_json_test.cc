// Lists of a GGUF file as a tokenizer.json; tokenizer_json_of compares the two itself, so what is
// checked here is what it writes and what it refuses.
#include "model/gguf/tokenizer_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/gguf/tokenizer.h"
#include "nibble/tokenizer.h"
#include "support/error_text.h"
#include "tokenizer/byte_fallback.h"

namespace nibble {
namespace {

using test::error_text;

GgufVocabulary pairs() {
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = "qwen2";
  vocabulary.tokens = {"a", "b", "Ġ", "ab", "Ġab", "<|end|>", "<tool>", "[PAD7]"};
  vocabulary.token_types = {1, 1, 1, 1, 1, 3, 4, 5};
  vocabulary.merges = {"a b", "Ġ ab"};
  vocabulary.eos = 5;
  vocabulary.pad = 5;
  vocabulary.add_eos = true;
  vocabulary.chat_template = "{{ messages }}";
  return vocabulary;
}

// Bytes, letters and what they join to; "▁a" before "ab".
GgufVocabulary pieces(const std::vector<std::pair<std::string, float>>& scored) {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.pre = "default";
  const auto add = [&](const std::string& token, std::int32_t type, float score) {
    vocabulary.tokens.push_back(token);
    vocabulary.token_types.push_back(type);
    vocabulary.scores.push_back(score);
  };
  add("<unk>", 2, 0);
  add("<s>", 3, 0);
  add("</s>", 3, 0);
  for (int byte = 0; byte < 256; ++byte)
    add(tokenizer::fallback_token(static_cast<std::uint8_t>(byte)), 6, 0);
  for (const auto& [token, score] : scored) add(token, 1, score);
  return vocabulary;
}

TEST(TokenizerJson, WritesPairsOfBytesWithTheirCut) {
  std::vector<std::string> differences;
  const Json json = Json::parse(tokenizer_json_of(pairs(), differences));
  EXPECT_TRUE(differences.empty());
  EXPECT_EQ(json["normalizer"]["type"], "NFC");
  EXPECT_EQ(json["pre_tokenizer"]["pretokenizers"].back()["trim_offsets"], true);
  EXPECT_EQ(json["model"]["merges"], Json::parse(R"([["a", "b"], ["Ġ", "ab"]])"));
  EXPECT_EQ(json["model"]["vocab"]["Ġab"], 4);
  EXPECT_FALSE(json["model"]["vocab"].contains("[PAD7]"));
  ASSERT_EQ(json["added_tokens"].size(), 2u);
  EXPECT_EQ(json["added_tokens"][0],
            Json::parse(R"({"id": 5, "content": "<|end|>", "special": true, "normalized": false,
                            "single_word": false, "lstrip": false, "rstrip": false})"));
  EXPECT_EQ(json["added_tokens"][1]["special"], false);
  EXPECT_EQ(json["post_processor"]["single"][1]["SpecialToken"]["id"], "<|end|>");
}

TEST(TokenizerJson, PutsAroundATextWhatTheFileSays) {
  std::vector<std::string> differences;
  const auto read = Tokenizer::parse(tokenizer_json_of(pairs(), differences));
  EXPECT_EQ(read->encode("ab ab<tool>"), (std::vector<std::int32_t>{3, 4, 6, 5}));
  EXPECT_EQ(read->encode("ab"), tokenizer_from_gguf(pairs())->encode("ab"));
}

TEST(TokenizerJson, MakesMergesOfScores) {
  std::vector<std::string> differences;
  const auto vocabulary =
      pieces({{"▁", -9}, {"a", -8}, {"b", -7}, {"▁a", 0}, {"ab", -1}, {"▁ab", -2}});
  const std::string text = tokenizer_json_of(vocabulary, differences);
  EXPECT_TRUE(differences.empty()) << differences.front();
  EXPECT_EQ(Json::parse(text)["model"]["merges"],
            Json::parse(R"([["▁", "a"], ["a", "b"], ["▁a", "b"], ["▁", "ab"]])"));
  const auto read = Tokenizer::parse(text);
  const std::vector<std::int32_t> ids = {1, 264};
  EXPECT_EQ(read->encode("ab"), ids);
  EXPECT_EQ(read->decode(ids), "ab");
}

// "aa" and "ab" have one score: the file joins the leftmost first, a list of merges the first.
TEST(TokenizerJson, TellsWherePiecesOfEqualScoreWouldJoinInAnotherOrder) {
  std::vector<std::string> differences;
  tokenizer_json_of(
      pieces({{"▁", -9}, {"a", -8}, {"b", -7}, {"aa", -1}, {"ab", -1}, {"ba", -1}, {"aba", -3}}),
      differences);
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_NE(differences[0].find("cannot say how to encode"), std::string::npos) << differences[0];
  EXPECT_NE(differences[0].find("where the GGUF file gives"), std::string::npos);
}

TEST(TokenizerJson, RefusesTwoTokensOfOneText) {
  GgufVocabulary vocabulary = pairs();
  vocabulary.tokens[7] = "ab";
  std::vector<std::string> differences;
  const std::string text = error_text([&] { tokenizer_json_of(vocabulary, differences); });
  EXPECT_FALSE(text.empty());
}

TEST(TokenizerJson, RefusesTextsThatNoJsonCanHold) {
  GgufVocabulary vocabulary = pairs();
  vocabulary.chat_template = "\xFF";
  EXPECT_EQ(test::error_kind([&] { tokenizer_config_of(vocabulary, 1); }), ErrorKind::kCorruptFile);
}

TEST(TokenizerJson, NamesRolesAndTemplateInTheFileBeside) {
  const Json config = tokenizer_config_of(pairs(), 77);
  EXPECT_EQ(config["eos_token"], "<|end|>");
  EXPECT_EQ(config["pad_token"], "<|end|>");
  EXPECT_EQ(config["chat_template"], "{{ messages }}");
  EXPECT_EQ(config["model_max_length"], 77);
  EXPECT_FALSE(config.contains("bos_token"));
}

}  // namespace
}  // namespace nibble
