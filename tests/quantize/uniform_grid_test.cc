// Every grid: its range, what its search promises, and zeros and scales that a file can hold.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "base/random.h"
#include "quantize/grid.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr std::array kSymmetries = {Symmetry::kAsymmetric, Symmetry::kPlain, Symmetry::kFullRange,
                                    Symmetry::kSigned};

std::vector<float> sample_weights(std::uint64_t seed, std::size_t count = 64) {
  Random random(seed);
  std::vector<float> weights(count);
  for (float& w : weights)
    w = static_cast<float>(random.uniform() + random.uniform() + random.uniform() - 1.4);
  return weights;
}

double loss(const Grid& grid, std::span<const float> weights, std::span<const float> importance,
            GroupParams params) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double lost = weights[i] - grid.value(grid.nearest(weights[i], params), params);
    sum += lost * lost * (importance.empty() ? 1 : importance[i]);
  }
  return sum;
}

class UniformGrid : public testing::TestWithParam<std::tuple<int, Symmetry>> {
 protected:
  std::unique_ptr<Grid> grid(int lowest_zero = 0) const {
    return uniform_grid(std::get<0>(GetParam()), std::get<1>(GetParam()), lowest_zero);
  }
};

TEST_P(UniformGrid, NearestIsTheNearestOfAllCodes) {
  const auto g = grid();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto weights = sample_weights(seed);
    const GroupParams params = g->fit(weights, {}, ScaleSearch::kAbsMax);
    for (const float w : weights) {
      const std::uint8_t code = g->nearest(w, params);
      ASSERT_LT(code, g->levels());
      const float distance = std::abs(w - g->value(code, params));
      for (int other = 0; other < g->levels(); ++other)
        EXPECT_GE(
            std::abs(w - g->value(static_cast<std::uint8_t>(other), params)) * 1.0001f + 1e-6f,
            distance);
    }
  }
}

TEST_P(UniformGrid, SearchingNeverLosesMore) {
  const auto g = grid();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto weights = sample_weights(seed);
    auto importance = sample_weights(seed + 100);
    for (float& value : importance) value = value * value + 0.01f;
    const GroupParams textbook = g->fit(weights, {}, ScaleSearch::kAbsMax);
    EXPECT_LE(loss(*g, weights, {}, g->fit(weights, {}, ScaleSearch::kMse)),
              loss(*g, weights, {}, textbook) * (1 + 1e-6));
    EXPECT_LE(loss(*g, weights, importance, g->fit(weights, importance, ScaleSearch::kWeighted)),
              loss(*g, weights, importance, textbook) * (1 + 1e-6));
  }
}

TEST_P(UniformGrid, ScalesAreHalfFloatsAndZerosAreStorable) {
  const auto g = grid(1);
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (const ScaleSearch search :
         {ScaleSearch::kAbsMax, ScaleSearch::kMse, ScaleSearch::kWeighted}) {
      const GroupParams params = g->fit(sample_weights(seed), {}, search);
      EXPECT_EQ(params.scale, half_to_float(float_to_half(params.scale)));
      EXPECT_EQ(params.zero, std::round(params.zero));
      EXPECT_GE(params.zero, 1);
      EXPECT_LT(params.zero, g->levels());
    }
}

TEST_P(UniformGrid, AnAllZeroGroupHasScaleOne) {
  const auto g = grid(1);
  const std::vector<float> zeros(32);
  const GroupParams params = g->fit(zeros, {}, ScaleSearch::kWeighted);
  EXPECT_EQ(params.scale, 1);
  EXPECT_EQ(g->value(g->nearest(0, params), params), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, UniformGrid, testing::Combine(testing::Values(2, 3, 4, 8), testing::ValuesIn(kSymmetries)),
    [](const auto& test) {
      constexpr std::array kNames = {"Asymmetric", "Plain", "FullRange", "Signed"};
      const auto [bits, symmetry] = test.param;
      const auto found = std::find(kSymmetries.begin(), kSymmetries.end(), symmetry);
      return kNames[static_cast<std::size_t>(found - kSymmetries.begin())] + std::to_string(bits);
    });

TEST(UniformGridTextbook, HasTheFieldsScales) {
  const std::vector<float> weights = {-1.5f, 0.25f, 1.0f, 3.0f};
  const auto scale = [&](Symmetry symmetry) {
    return uniform_grid(4, symmetry)->fit(weights, {}, ScaleSearch::kAbsMax).scale;
  };
  EXPECT_NEAR(scale(Symmetry::kPlain), 3.0 / 7, 3e-4);
  EXPECT_NEAR(scale(Symmetry::kFullRange), 6.0 / 15, 3e-4);
  EXPECT_NEAR(scale(Symmetry::kSigned), -3.0 / 8, 3e-4);
  EXPECT_NEAR(scale(Symmetry::kAsymmetric), 4.5 / 15, 3e-4);
  EXPECT_EQ(uniform_grid(4, Symmetry::kAsymmetric)->fit(weights, {}, ScaleSearch::kAbsMax).zero, 5);
}

}  // namespace
}  // namespace nibble
