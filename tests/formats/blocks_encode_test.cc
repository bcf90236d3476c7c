// Every block format in the list: what encoding loses, and what it must not lose.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "formats/block_format.h"

namespace nibble {
namespace {

constexpr std::size_t kBlocks = 64;

class EveryBlockEncoder : public testing::TestWithParam<const BlockFormat*> {
 protected:
  void SetUp() override { ASSERT_NE(format().encode, nullptr); }
  const BlockFormat& format() const { return *GetParam(); }
  // Formats whose codes no method chooses, and those of floats, are written by the rule of their
  // makers, bit for bit (blocks_test.cc), which searches for nothing and looks at no importance.
  bool by_rule() const { return format().grid.empty() || format().put_scales != nullptr; }
  std::size_t size() const { return kBlocks * format().block; }

  std::vector<std::uint8_t> encoded(const std::vector<float>& weights,
                                    const float* importance = nullptr) const {
    const std::size_t count = weights.size() / format().block;
    // Rubbish in the output must not shine through.
    std::vector<std::uint8_t> blocks(count * format().block_bytes, 0xA5);
    format().encode(weights.data(), importance, count, blocks.data());
    return blocks;
  }
  std::vector<float> decoded(const std::vector<std::uint8_t>& blocks) const {
    const std::size_t count = blocks.size() / format().block_bytes;
    std::vector<float> weights(count * format().block);
    format().decode(blocks.data(), count, weights.data());
    return weights;
  }
  std::vector<float> there_and_back(const std::vector<float>& weights,
                                    const float* importance = nullptr) const {
    return decoded(encoded(weights, importance));
  }
  std::vector<float> normal_weights(unsigned seed = 1) const {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, 0.02f);
    std::vector<float> weights(size());
    for (float& weight : weights) weight = normal(generator);
    return weights;
  }
};

// Relative to the weights' own squares.
double loss(const std::vector<float>& weights, const std::vector<float>& decoded,
            const std::vector<float>& importance = {}) {
  double lost = 0, all = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double share = importance.empty() ? 1.0 : static_cast<double>(importance[i]);
    const double difference = static_cast<double>(weights[i]) - static_cast<double>(decoded[i]);
    lost += share * difference * difference;
    all += share * static_cast<double>(weights[i]) * static_cast<double>(weights[i]);
  }
  return lost / all;
}

// Of normal weights, measured; with 5% for other random numbers. With one scale a block, those from
// the absolute maximum alone lose a tenth to a third more. A format that is not here yet has the
// bound of its bits alone.
double allowed_loss(const BlockFormat& format) {
  static const std::map<std::string_view, double> kMeasured = {
      {"Q4_0", 0.007},   {"Q4_1", 0.00496}, {"Q5_0", 0.00168},   {"Q5_1", 0.00113},
      {"Q8_0", 2.27e-5}, {"Q2_K", 0.0671},  {"Q3_K", 0.0206},    {"Q4_K", 0.00487},
      {"Q5_K", 0.00117}, {"Q6_K", 2.79e-4}, {"IQ4_NL", 0.00556}, {"IQ4_XS", 0.00555}};
  const auto found = kMeasured.find(format.name);
  if (found != kMeasured.end()) return 1.05 * found->second;
  // Each bit divides the squared error by 4. The best code of any length leaves 1 · 4^-bits.
  return 6 * std::pow(4, -8 * static_cast<double>(format.block_bytes) /
                             static_cast<double>(format.block));
}

TEST_P(EveryBlockEncoder, LosesNoMoreOfNormalWeightsThanASearchLeaves) {
  if (by_rule()) return;
  const std::vector<float> weights = normal_weights();
  EXPECT_LT(loss(weights, there_and_back(weights)), allowed_loss(format()));
}

// The search may settle on other scales than those that made the weights: 5% of what one encoding
// loses.
TEST_P(EveryBlockEncoder, LosesNextToNothingOfWhatItsBlocksCanHold) {
  const std::vector<float> weights = normal_weights();
  const std::vector<float> held = there_and_back(weights);
  EXPECT_LE(loss(held, there_and_back(held)), 0.05 * loss(weights, held));
}

TEST_P(EveryBlockEncoder, KeepsAZeroBlockZero) {
  const std::vector<float> zeros(size());
  for (const float weight : there_and_back(zeros)) ASSERT_EQ(weight, 0);
}

TEST_P(EveryBlockEncoder, KeepsABlockOfOneValue) {
  if (by_rule()) return;
  for (const float value : {0.37f, -0.37f, 100.0f, -12.0f}) {
    const std::vector<float> weights(size(), value);
    // A scale in float16 has 11 bits: at most 2^-11 of the value is lost.
    EXPECT_LT(loss(weights, there_and_back(weights)), 0x1p-22) << value;
  }
  // Scales of scales are below 2^-14 here, where float16 has fewer bits.
  const std::vector<float> small(size(), 1e-3f);
  EXPECT_LT(loss(small, there_and_back(small)), 1e-3);
}

TEST_P(EveryBlockEncoder, StaysFiniteBesideAHugeWeight) {
  for (const float huge : {1e4f, -3e6f, 1e20f, -3e38f}) {
    std::vector<float> weights = normal_weights();
    weights[5] = huge;
    weights[format().block + 1] = -huge;
    weights[format().block + 2] = huge;
    for (const float weight : there_and_back(weights)) ASSERT_TRUE(std::isfinite(weight)) << huge;
  }
}

TEST_P(EveryBlockEncoder, KeepsAnOutlier) {
  if (by_rule()) return;
  for (const float outlier : {2.0f, -2.0f}) {
    std::vector<float> weights = normal_weights();
    weights[7] = outlier;
    EXPECT_NEAR(there_and_back(weights)[7], outlier, 0.2f);
  }
}

TEST_P(EveryBlockEncoder, TurnsWeightsBelowEveryScaleToNearlyZero) {
  const std::vector<float> weights(size(), 1e-30f);
  for (const float weight : there_and_back(weights)) ASSERT_LT(std::fabs(weight), 1e-4f);
}

TEST_P(EveryBlockEncoder, LosesLessOfWhatIsImportantWhenToldSo) {
  if (by_rule()) return;
  const std::vector<float> weights = normal_weights();
  std::vector<float> importance(weights.size());
  std::mt19937 generator(7);
  std::lognormal_distribution<float> spread(0, 1.5f);
  for (float& share : importance) share = spread(generator);
  EXPECT_LT(loss(weights, there_and_back(weights, importance.data()), importance),
            loss(weights, there_and_back(weights), importance));
}

TEST_P(EveryBlockEncoder, TakesEqualImportanceForNone) {
  const std::vector<float> weights = normal_weights(), equal(weights.size(), 1.0f);
  EXPECT_EQ(encoded(weights, equal.data()), encoded(weights));
}

TEST_P(EveryBlockEncoder, CopesWithWeightsOfNoImportance) {
  const std::vector<float> weights = normal_weights(), none(weights.size(), 0.0f);
  for (const float weight : there_and_back(weights, none.data()))
    ASSERT_TRUE(std::isfinite(weight));
}

TEST_P(EveryBlockEncoder, GivesTheSameBytesOnEveryCallAndForEachBlockAlone) {
  const std::vector<float> weights = normal_weights();
  const std::vector<std::uint8_t> blocks = encoded(weights);
  EXPECT_EQ(encoded(weights), blocks);
  std::vector<std::uint8_t> alone(blocks.size() + 1);
  for (std::size_t b = 0; b < kBlocks; ++b)
    format().encode(weights.data() + b * format().block, nullptr, 1,
                    alone.data() + 1 + b * format().block_bytes);
  EXPECT_TRUE(std::equal(blocks.begin(), blocks.end(), alone.begin() + 1));
}

INSTANTIATE_TEST_SUITE_P(Blocks, EveryBlockEncoder,
                         testing::ValuesIn(block_formats::all().begin(),
                                           block_formats::all().end()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace nibble
