#include "model/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "nibble/error.h"
#include "support/error_text.h"

namespace nibble {
namespace {

SamplerOptions plain(float temperature = 1) {
  SamplerOptions options;
  options.temperature = temperature;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  return options;
}

// How often each token comes in 20,000 draws.
std::vector<double> shares(const SamplerOptions& options, const std::vector<float>& logits) {
  constexpr int kDraws = 20'000;
  Sampler sampler(options);
  std::vector<double> counts(logits.size());
  for (int i = 0; i < kDraws; ++i)
    counts[static_cast<std::size_t>(sampler.pick(logits, {}))] += 1.0 / kDraws;
  return counts;
}

// Four standard deviations of a share of 1/2 in 20,000 draws.
constexpr double kNoise = 0.0142;

const std::vector<float> kHalves = {std::log(0.5f), std::log(0.25f), std::log(0.125f),
                                    std::log(0.125f)};

TEST(Sampler, TakesTheLowestOfEquallyLikelyTokensAtTemperatureZero) {
  Sampler sampler(plain(0));
  EXPECT_EQ(sampler.pick(std::vector<float>{1, 3, 3, 2}, {}), 1);
  EXPECT_EQ(most_likely(std::vector<float>{1, 3, 3, 2}), 1);
}

TEST(Sampler, DrawsTokensAsOftenAsTheirProbabilitySays) {
  const auto drawn = shares(plain(), kHalves);
  EXPECT_NEAR(drawn[0], 0.5, kNoise);
  EXPECT_NEAR(drawn[1], 0.25, kNoise);
  EXPECT_NEAR(drawn[3], 0.125, kNoise);
}

TEST(Sampler, TemperatureFlattensOrSharpens) {
  const auto sharp = shares(plain(0.5f), {std::log(0.8f), std::log(0.2f)});
  EXPECT_NEAR(sharp[0], 0.64 / 0.68, kNoise);
  const auto flat = shares(plain(2), {std::log(0.8f), std::log(0.2f)});
  EXPECT_NEAR(flat[0], 2.0 / 3, kNoise);  // sqrt(0.8) : sqrt(0.2) = 2 : 1
}

TEST(Sampler, TopKKeepsTheMostLikely) {
  SamplerOptions options = plain();
  options.top_k = 2;
  const auto drawn = shares(options, kHalves);
  EXPECT_NEAR(drawn[0], 2.0 / 3, kNoise);
  EXPECT_EQ(drawn[2] + drawn[3], 0);
}

TEST(Sampler, TopPKeepsTheFewestThatReachTheShare) {
  SamplerOptions options = plain();
  options.top_p = 0.7f;  // 0.5 is too little, 0.5 + 0.25 enough
  const auto drawn = shares(options, kHalves);
  EXPECT_NEAR(drawn[1], 1.0 / 3, kNoise);
  EXPECT_EQ(drawn[2] + drawn[3], 0);
}

TEST(Sampler, MinPDropsWhatIsFarBehindTheFirst) {
  SamplerOptions options = plain();
  options.min_p = 0.4f;  // of 0.5: below 0.2
  const auto drawn = shares(options, kHalves);
  EXPECT_GT(drawn[1], 0);
  EXPECT_EQ(drawn[2] + drawn[3], 0);
}

TEST(Sampler, RepeatPenaltyPushesRecentTokensDown) {
  SamplerOptions options = plain(0);
  options.repeat_penalty = 2;
  options.repeat_last = 2;
  Sampler sampler(options);
  const std::vector<float> logits = {4, 3, -1};
  EXPECT_EQ(sampler.pick(logits, std::vector<std::int32_t>{0}), 1);        // 4 / 2 < 3
  EXPECT_EQ(sampler.pick(logits, std::vector<std::int32_t>{0, 1}), 0);     // 2 > 1.5
  EXPECT_EQ(sampler.pick(logits, std::vector<std::int32_t>{0, 2, 2}), 0);  // 0 is long past
}

TEST(Sampler, PresencePenaltyCountsATokenOnceAndFrequencyPenaltyEachTime) {
  const std::vector<float> logits = {4, 3, -1};
  const std::vector<std::int32_t> past = {0, 0, 0};
  SamplerOptions once = plain(0);
  once.presence_penalty = 0.9f;
  EXPECT_EQ(Sampler(once).pick(logits, past), 0);  // 3.1
  once.presence_penalty = 1.1f;
  EXPECT_EQ(Sampler(once).pick(logits, past), 1);
  SamplerOptions each = plain(0);
  each.frequency_penalty = 0.3f;
  EXPECT_EQ(Sampler(each).pick(logits, past), 0);  // 3.1
  each.frequency_penalty = 0.4f;
  EXPECT_EQ(Sampler(each).pick(logits, past), 1);  // 2.8
  each.repeat_last = 2;
  EXPECT_EQ(Sampler(each).pick(logits, past), 0);  // 3.2
}

TEST(Sampler, RepeatPenaltyComesBeforeTheOthers) {
  SamplerOptions options = plain(0);
  options.repeat_penalty = 2;
  options.presence_penalty = 1;
  // 6 / 2 - 1 = 2, not (6 - 1) / 2 = 2.5
  EXPECT_EQ(Sampler(options).pick(std::vector<float>{6, 2.2f}, std::vector<std::int32_t>{0}), 1);
}

TEST(Sampler, GivesTheSameTokensForTheSameSeed) {
  const std::vector<float> logits(50, 0.0f);
  SamplerOptions options = plain();
  std::vector<std::int32_t> first, second, other;
  Sampler a(options), b(options);
  options.seed = 1;
  Sampler c(options);
  for (int i = 0; i < 20; ++i) {
    first.push_back(a.pick(logits, {}));
    second.push_back(b.pick(logits, {}));
    other.push_back(c.pick(logits, {}));
  }
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
}

TEST(Sampler, RefusesLogitsThatAllowNoToken) {
  const std::vector<float> none(3, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(test::error_kind([&] { Sampler(plain()).pick(none, {}); }), ErrorKind::kNumeric);
}

TEST(Sampler, RefusesLogitsThatAreNoNumbers) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const float temperature : {0.0f, 1.0f})
      EXPECT_EQ(test::error_kind([&] {
                  Sampler(plain(temperature)).pick(std::vector<float>{0, bad, 1}, {});
                }),
                ErrorKind::kNumeric);
}

}  // namespace
}  // namespace nibble
