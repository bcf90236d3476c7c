#include "model/generate.h"

#include <gtest/gtest.h>

#include "base/parallel.h"
#include "model/golden_model.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/paths.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

GenerateOptions greedy(std::size_t tokens) {
  GenerateOptions options;
  options.max_tokens = tokens;
  options.sampler.temperature = 0;
  return options;
}

WriteOptions short_texts(std::size_t sequences, std::uint64_t seed) {
  WriteOptions options;
  options.sequences = sequences;
  options.length = 24;
  options.seed = seed;
  return options;
}

class Generate : public testing::Test {
 protected:
  Generate() : source(test::kGoldenModels / "llama_groups"), model(source) {}
  ModelSource source;
  Transformer model;
  const Ids prompt = {1, 20, 30};
};

TEST_F(Generate, GivesTheMostLikelyTokenEachTime) {
  Ids text = prompt;
  for (int i = 0; i < 10; ++i) {
    KvCache cache(model.hyper(), text.size());
    text.push_back(most_likely(model.extend(cache, text, Compute::kFloat32)));
  }
  EXPECT_EQ(generate(model, prompt, greedy(10)).ids, Ids(text.begin() + 3, text.end()));
}

TEST_F(Generate, EndsBeforeAStopToken) {
  const Ids all = generate(model, prompt, greedy(10)).ids;
  GenerateOptions options = greedy(10);
  options.stop = {all[4]};
  const Generated stopped = generate(model, prompt, options);
  const auto first = std::find(all.begin(), all.end(), all[4]);
  EXPECT_EQ(stopped.ids, Ids(all.begin(), first));
  EXPECT_TRUE(stopped.stopped);
}

TEST_F(Generate, EndsWhenTheCallerHasEnough) {
  Ids seen;
  const Generated result = generate(model, prompt, greedy(10), [&](std::int32_t id) {
    seen.push_back(id);
    return seen.size() < 3;
  });
  EXPECT_EQ(result.ids.size(), 3u);
  EXPECT_EQ(result.ids, seen);
  EXPECT_FALSE(result.stopped);
}

TEST_F(Generate, EndsAtTheEndOfTheContext) {
  // 64 positions: the prompt takes 3, and the last token needs none.
  EXPECT_EQ(generate(model, prompt, greedy(1000)).ids.size(), 62u);
}

TEST_F(Generate, RefusesPromptsItCannotContinue) {
  EXPECT_EQ(test::error_kind([&] { generate(model, {}, greedy(1)); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(test::error_kind([&] { generate(model, Ids(65, 1), greedy(1)); }),
            ErrorKind::kInvalidArgument);
}

TEST_F(Generate, GoesOnFromWhatTheCacheHolds) {
  const Ids all = generate(model, prompt, greedy(20)).ids;
  KvCache cache(model.hyper(), 2);  // grows
  const Generated first = generate(model, cache, prompt, greedy(8));
  EXPECT_EQ(cache.length(), 10u);  // the last token is not computed
  Ids tokens = prompt;
  tokens.insert(tokens.end(), first.ids.begin(), first.ids.end());
  const Generated second = generate(model, cache, tokens, greedy(12));
  tokens.insert(tokens.end(), second.ids.begin(), second.ids.end());
  EXPECT_EQ(Ids(tokens.begin() + 3, tokens.end()), all);
}

TEST_F(Generate, ForgetsWhatIsCutOffTheCache) {
  const Ids other = {1, 20, 40, 41};
  KvCache cache(model.hyper(), 16);
  generate(model, cache, prompt, greedy(6));
  cache.truncate(2);
  EXPECT_EQ(generate(model, cache, other, greedy(10)).ids, generate(model, other, greedy(10)).ids);
}

TEST_F(Generate, RefusesACacheThatHasAllTokens) {
  KvCache cache(model.hyper(), 16);
  generate(model, cache, prompt, greedy(4));
  EXPECT_EQ(test::error_kind([&] { generate(model, cache, prompt, greedy(1)); }),
            ErrorKind::kInvalidArgument);
}

TEST_F(Generate, WritesTheSameTextForAnyNumberOfThreads) {
  const WriteOptions options = short_texts(7, 3);
  set_threads(1);
  const auto one = write_text(model, options);
  set_threads(3);
  const auto three = write_text(model, options);
  set_threads(0);
  EXPECT_EQ(one, three);
  EXPECT_EQ(one.size(), 7u);
  for (const Ids& text : one) {
    EXPECT_EQ(text.size(), 24u);
    EXPECT_EQ(text[0], 1);  // BOS
  }
}

TEST_F(Generate, WritesOtherTextForAnotherSeed) {
  const auto text = write_text(model, short_texts(2, 3));
  EXPECT_NE(text[0], text[1]);
  EXPECT_NE(text, write_text(model, short_texts(2, 4)));
}

// 200 tokens as transformers chooses them; models that are not in the repository.
struct RealModel {
  const char* golden;
  fs::path folder;
};

class RealModelText : public testing::TestWithParam<RealModel> {};

TEST_P(RealModelText, IsThatOfTransformers) {
  if (!fs::exists(GetParam().folder / "config.json")) GTEST_SKIP() << GetParam().folder;
  const Json golden = read_json(test::kGoldenModels / GetParam().golden);
  const ModelSource source(GetParam().folder);
  const Transformer model(source);
  const auto result = generate(model, golden["prompt"].get<Ids>(), greedy(200));
  EXPECT_EQ(result.ids, golden["ids"].get<Ids>());
}

const fs::path kRoot = kSourceFolder;
INSTANTIATE_TEST_SUITE_P(
    , RealModelText,
    testing::Values(
        RealModel{"greedy_stories260k.json", kRoot / ".." / "shared" / "models" / "stories260k"},
        RealModel{"greedy_smollm2.json", kRoot / ".cache" / "models" / "SmolLM2-135M-Instruct"}),
    [](const auto& test) { return test.index == 0 ? "Stories260k" : "SmolLm2"; });

}  // namespace
}  // namespace nibble
