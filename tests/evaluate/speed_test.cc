// What a speed test counts and what it is a share of. How long it takes is the machine's business.
#include "evaluate/speed.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "evaluate/demo_model.h"
#include "support/error_text.h"

namespace nibble {
namespace {

constexpr Ceilings kMachine = {1e9, 8e9, 2e9, "f32"};  // bytes, byte products, float products

// Ten tokens of 1e6 products and 1e7 bytes each.
SpeedResult ten_tokens() { return {.tokens = 10, .bytes = 1e7, .ops = 1e7}; }

TEST(CeilingShare, OfAPromptIsItsArithmetic) {
  const SpeedTest prompt = {.prompt = 10};
  const CeilingShare bytes = share_of(kMachine, prompt, ten_tokens(), 4000, true);
  EXPECT_DOUBLE_EQ(bytes.share, 0.5);
  EXPECT_STREQ(bytes.ceiling, "int8");
  const CeilingShare floats = share_of(kMachine, prompt, ten_tokens(), 1000, false);
  EXPECT_DOUBLE_EQ(floats.share, 0.5);
  EXPECT_STREQ(floats.ceiling, "f32");
}

TEST(CeilingShare, OfGenerationIsTheNearerCeiling) {
  const CeilingShare alone = share_of(kMachine, {.generate = 10}, ten_tokens(), 80, true);
  EXPECT_DOUBLE_EQ(alone.share, 0.8);
  EXPECT_STREQ(alone.ceiling, "read");
  // Together, 100 sequences read the weights once.
  const CeilingShare many =
      share_of(kMachine, {.generate = 10, .parallel = 100}, ten_tokens(), 4000, true);
  EXPECT_DOUBLE_EQ(many.share, 0.5);
  EXPECT_STREQ(many.ceiling, "int8");
}

TEST(Ceilings, AreTheBestOfTwoMeasurements) {
  const Ceilings both = highest(kMachine, {2e9, 1e9, 3e9, "f32"});
  EXPECT_EQ(both.read_bytes, 2e9);
  EXPECT_EQ(both.int8_ops, 8e9);
  EXPECT_EQ(both.float_ops, 3e9);
}

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
