// What a speed test counts. How long it takes is the machine's business.
#include "evaluate/speed.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "evaluate/demo_model.h"
#include "support/error_text.h"

namespace nibble {
namespace {

class Speed : public testing::Test {
 protected:
  Speed() : source_(test::kDemoModel), model_(source_) {}
  SpeedResult measure(const SpeedTest& test, std::size_t repetitions = 2) const {
    return measure_speed(model_, test, repetitions, Compute::kFloat32, KvType::kFloat32);
  }

  ModelSource source_;
  Transformer model_;
};

TEST_F(Speed, OfAPromptCountsItsTokensOncePerRepetition) {
  const SpeedResult result = measure({.prompt = 5}, 3);
  EXPECT_EQ(result.tokens, 5u);
  EXPECT_EQ(result.seconds.size(), 3u);  // the run that warms up is not among them
  EXPECT_TRUE(result.token_seconds.empty());
  EXPECT_DOUBLE_EQ(result.ops, 2.0 * 5 * static_cast<double>(model_.block_weights()));
}

TEST_F(Speed, OfGeneratingHasATimeForEachStepInRisingOrder) {
  const SpeedResult result = measure({.generate = 3, .depth = 4});
  EXPECT_EQ(result.tokens, 3u);
  EXPECT_EQ(result.token_seconds.size(), 2 * 3u);
  EXPECT_TRUE(std::is_sorted(result.token_seconds.begin(), result.token_seconds.end()));
  EXPECT_GT(result.token_seconds.front(), 0);
}

TEST_F(Speed, OfSequencesTogetherCountsTheTokensOfAllAndTheWeightsOnce) {
  const SpeedResult one = measure({.generate = 2});
  const SpeedResult three = measure({.generate = 2, .parallel = 3});
  EXPECT_EQ(three.tokens, 3 * one.tokens);
  const double cache = one.bytes - static_cast<double>(model_.weight_bytes());
  EXPECT_GT(cache, 0);
  EXPECT_DOUBLE_EQ(three.bytes, static_cast<double>(model_.weight_bytes()) + 3 * cache);
}

TEST_F(Speed, BeyondTheContextIsRefusedWithBothNumbers) {
  const std::size_t context = model_.hyper().context;
  const auto ask = [&] { measure({.generate = 1, .depth = context}); };
  EXPECT_EQ(test::error_kind(ask), ErrorKind::kInvalidArgument);
  EXPECT_NE(test::error_text(ask).find(std::to_string(context + 1)), std::string::npos);
  EXPECT_NE(test::error_text(ask).find(std::to_string(context)), std::string::npos);
}

TEST(Quantile, IsTheValueAtThatShareOfTheRow) {
  const std::vector<double> values = {1, 2, 3, 4, 5};
  EXPECT_EQ(quantile(values, 0), 1);
  EXPECT_EQ(quantile(values, 0.5), 3);
  EXPECT_EQ(quantile(values, 0.9), 5);
  EXPECT_EQ(quantile(values, 1), 5);
  EXPECT_EQ(quantile({7}, 0.5), 7);
}

}  // namespace
}  // namespace nibble
