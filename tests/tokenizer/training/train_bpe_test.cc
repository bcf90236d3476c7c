// Tokens and merges against the tokenizers library (scripts/make_golden_bpe_training.py).
#include "tokenizer/training/train_bpe.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/parallel.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/paths.h"

namespace nibble::tokenizer {
namespace {

Json golden_cases() {
  std::ifstream stream(std::string(kSourceFolder) + "/tests/golden/tokenizer_training/cases.json");
  return Json::parse(stream);
}

WordCounts words_of(const Json& golden) {
  WordCounts words;
  const auto texts = golden["texts"].get<std::vector<std::string>>();
  if (!golden["by_lines"])
    count_words(texts, words);
  else
    for (const std::string& text : texts) count_words(text, TextCut::kLines, words);
  return words;
}

BpeTrainingOptions options_of(const Json& golden) {
  return {.vocabulary_size = golden["vocabulary"],
          .min_frequency = golden.value("min_frequency", 0u),
          .special = golden.value("special", std::vector<std::string>())};
}

class GoldenTraining : public testing::TestWithParam<Json> {};

TEST_P(GoldenTraining, GivesTheSameTokensAndMerges) {
  const Json& golden = GetParam();
  const TrainedBpe trained = train_bpe(words_of(golden), options_of(golden));
  const auto tokens = golden["tokens"].get<std::vector<std::string>>();
  ASSERT_GE(trained.tokens.size(), tokens.size() + 256);
  EXPECT_EQ(std::vector(trained.tokens.end() - static_cast<std::ptrdiff_t>(tokens.size()),
                        trained.tokens.end()),
            tokens);
  Json merges = Json::array();
  for (const auto& [left, right] : trained.merges)
    merges.push_back({trained.tokens[static_cast<std::size_t>(left)],
                      trained.tokens[static_cast<std::size_t>(right)]});
  EXPECT_EQ(merges, golden["merges"]);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenTraining, testing::ValuesIn(golden_cases()),
                         [](const auto& golden) {
                           return golden.param["name"].template get<std::string>();
                         });

TEST(TrainBpe, TheFirstIdsAreSpecialTokensThenBytes) {
  WordCounts words;
  words.add("ab", 5);
  const TrainedBpe trained = train_bpe(words, {.vocabulary_size = 259, .special = {"<s>", "</s>"}});
  ASSERT_EQ(trained.tokens.size(), 259u);
  EXPECT_EQ(trained.special, 2u);
  EXPECT_EQ(trained.tokens[1], "</s>");
  EXPECT_EQ(trained.tokens[2], "!");
  EXPECT_EQ(trained.tokens[257], "Ń");
  EXPECT_EQ(trained.tokens[258], "ab");
  EXPECT_EQ(trained.text_tokens, 5u);
}

TEST(TrainBpe, CountsMoreThanFourBillionOccurrences) {
  WordCounts words;
  words.add("ab", std::uint64_t{3} << 32);
  words.add("cd", 7);
  const TrainedBpe trained = train_bpe(words, {.vocabulary_size = 257});
  EXPECT_EQ(trained.tokens.back(), "ab");
}

TEST(TrainBpe, RefusesWhatMakesNoSense) {
  const auto refusal = [](const BpeTrainingOptions& options) {
    return test::error_text([&] { check(options); });
  };
  EXPECT_NE(refusal({.vocabulary_size = 256, .special = {"<s>"}}).find("ask for 257 or more"),
            std::string::npos);
  EXPECT_EQ(refusal({.vocabulary_size = 257, .special = {"<s>"}}), "");
  EXPECT_EQ(refusal({.vocabulary_size = 256, .special = {"a"}}), "");  // is a byte's already
  EXPECT_NE(refusal({.vocabulary_size = 300, .special = {"<s>", "<s>"}}).find("twice"),
            std::string::npos);
  EXPECT_NE(refusal({.vocabulary_size = 300, .special = {""}}).find("empty"), std::string::npos);
  EXPECT_NE(refusal({.vocabulary_size = 300, .special = {"\xFF"}}).find("UTF-8"),
            std::string::npos);
  EXPECT_THROW(train_bpe({}, {.vocabulary_size = 300}), Error);
}

}  // namespace
}  // namespace nibble::tokenizer
