#include "tokenizer/training/trained_files.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "nibble/error.h"
#include "nibble/tokenizer.h"

namespace nibble::tokenizer {
namespace {

TrainedBpe small(std::vector<std::string> special) {
  WordCounts words;
  words.add(" the", 9);
  words.add("\"\\", 5);
  words.add("then", 3);
  return train_bpe(words, {.vocabulary_size = 265, .special = std::move(special)});
}

TEST(TrainedFiles, OpenAndEncode) {
  const TrainedBpe trained = small({"<s>", "</s>"});
  const TokenRoles roles = token_roles(trained, {});
  const auto opened = Tokenizer::parse(tokenizer_json(trained), tokenizer_config_json(roles));
  EXPECT_EQ(opened->vocabulary_size(), static_cast<int>(trained.tokens.size()));
  EXPECT_EQ(opened->bos(), 0);
  EXPECT_EQ(opened->eos(), 1);
  EXPECT_TRUE(opened->is_special(1));
  const std::string text = "the the\"\\</s>\né";
  const auto ids = opened->encode(text);
  EXPECT_EQ(opened->decode(ids, false), text);
  EXPECT_EQ(opened->token_text(ids[1]), "Ġthe");
  EXPECT_EQ(opened->token_text(ids[2]), "\"\\");
  EXPECT_EQ(opened->token_text(ids[3]), "</s>");
}

TEST(TrainedFiles, WithoutMergesAndSpecialTokens) {
  WordCounts words;
  words.add("ab");
  const TrainedBpe trained = train_bpe(words, {.vocabulary_size = 256});
  const auto opened = Tokenizer::parse(tokenizer_json(trained), tokenizer_config_json({}));
  EXPECT_EQ(opened->encode("ab").size(), 2u);
  EXPECT_FALSE(opened->eos());
}

TEST(TrainedFiles, RolesGoByNameOrAsAsked) {
  const TrainedBpe trained = small({"<|endoftext|>", "<pad>", "<end>"});
  EXPECT_EQ(token_roles(trained, {}).eos, "<|endoftext|>");
  EXPECT_EQ(token_roles(trained, {}).pad, "<pad>");
  EXPECT_EQ(token_roles(trained, {}).bos, "");
  EXPECT_EQ(token_roles(trained, {.eos = "<end>"}).eos, "<end>");
  EXPECT_THROW(token_roles(trained, {.bos = "<begin>"}), Error);
  EXPECT_THROW(token_roles(trained, {.bos = "a"}), Error);
  const Json config = Json::parse(tokenizer_config_json(token_roles(trained, {.bos = "<end>"})));
  EXPECT_EQ(config["bos_token"], "<end>");
  EXPECT_FALSE(config.contains("unk_token"));
}

}  // namespace
}  // namespace nibble::tokenizer
