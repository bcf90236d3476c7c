// Every grid: its range, what its search promises, and zeros and scales that a file can hold.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>

#include "base/random.h"
#include "quantize/layer/rounder.h"
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

double loss(const Rounder& rounder, const GroupView& group, GroupParams params) {
  double sum = 0;
  for (std::size_t i = 0; i < group.weights.size(); ++i) {
    const double lost =
        group.weights[i] - rounder.grid().value(rounder.nearest(&group.weights[i], params), params);
    sum += lost * lost * (group.importance.empty() ? 1 : group.importance[i]);
  }
  return sum;
}

// A file with zeros from `lowest_zero` on.
Storable zeros_from(float lowest_zero) {
  Storable storable;
  storable.lowest_zero = lowest_zero;
  return storable;
}

class UniformGrid : public testing::TestWithParam<std::tuple<int, Symmetry>> {
 protected:
  std::unique_ptr<Rounder> rounder(ScaleSearch search, float lowest_zero = 0) const {
    return make_rounder(grids::uniform(std::get<0>(GetParam())), zeros_from(lowest_zero),
                        std::get<1>(GetParam()), search);
  }
};

TEST_P(UniformGrid, NearestIsTheNearestOfAllCodes) {
  const auto r = rounder(ScaleSearch::kAbsMax);
  const Grid& grid = r->grid();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto weights = sample_weights(seed);
    const GroupParams params = r->fit({weights, {}});
    for (const float w : weights) {
      const Code code = r->nearest(&w, params);
      ASSERT_LT(code, grid.levels());
      const float distance = std::abs(w - grid.value(code, params));
      for (Code other = 0; other < grid.levels(); ++other)
        EXPECT_GE(std::abs(w - grid.value(other, params)) * 1.0001f + 1e-6f, distance);
    }
  }
}

TEST_P(UniformGrid, SearchingNeverLosesMore) {
  const auto plain = rounder(ScaleSearch::kAbsMax), mse = rounder(ScaleSearch::kMse),
             weighted = rounder(ScaleSearch::kWeighted);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto weights = sample_weights(seed);
    auto importance = sample_weights(seed + 100);
    for (float& value : importance) value = value * value + 0.01f;
    const GroupView equal{weights, {}}, unequal{weights, importance};
    const GroupParams textbook = plain->fit(equal);
    EXPECT_LE(loss(*mse, equal, mse->fit(equal)), loss(*mse, equal, textbook) * (1 + 1e-6));
    EXPECT_LE(loss(*weighted, unequal, weighted->fit(unequal)),
              loss(*weighted, unequal, textbook) * (1 + 1e-6));
  }
}

TEST_P(UniformGrid, ScalesAreHalfFloatsAndZerosAreStorable) {
  for (const ScaleSearch search :
       {ScaleSearch::kAbsMax, ScaleSearch::kMse, ScaleSearch::kWeighted}) {
    const auto r = rounder(search, 1);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const GroupParams params = r->fit({sample_weights(seed), {}});
      EXPECT_EQ(params.scale, half_to_float(float_to_half(params.scale)));
      EXPECT_EQ(params.zero, std::round(params.zero));
      EXPECT_GE(params.zero, 1);
      EXPECT_LT(params.zero, static_cast<float>(r->grid().levels()));
    }
  }
}

TEST_P(UniformGrid, AnAllZeroGroupHasScaleOne) {
  const auto r = rounder(ScaleSearch::kWeighted, 1);
  const std::vector<float> zeros(32);
  const GroupParams params = r->fit({zeros, {}});
  EXPECT_EQ(params.scale, 1);
  EXPECT_EQ(r->grid().value(r->nearest(zeros.data(), params), params), 0);
}

std::string name_of(const testing::TestParamInfo<std::tuple<int, Symmetry>>& info) {
  constexpr std::array kNames = {"Asymmetric", "Plain", "FullRange", "Signed"};
  return "Int" + std::to_string(std::get<0>(info.param)) +
         kNames[static_cast<std::size_t>(std::get<1>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(All, UniformGrid,
                         testing::Combine(testing::Values(2, 3, 4, 8),
                                          testing::ValuesIn(kSymmetries)),
                         name_of);

TEST(UniformGridTextbook, HasTheFieldsScales) {
  const std::vector<float> weights = {-1.5f, 0.25f, 1.0f, 3.0f};
  const auto scale = [&](Symmetry symmetry) {
    return make_rounder(grids::uniform(4), {}, symmetry, ScaleSearch::kAbsMax)
        ->fit({weights, {}})
        .scale;
  };
  EXPECT_NEAR(scale(Symmetry::kPlain), 3.0 / 7, 3e-4);
  EXPECT_NEAR(scale(Symmetry::kFullRange), 6.0 / 15, 3e-4);
  EXPECT_NEAR(scale(Symmetry::kSigned), -3.0 / 8, 3e-4);
  EXPECT_NEAR(scale(Symmetry::kAsymmetric), 4.5 / 15, 3e-4);
  EXPECT_EQ(make_rounder(grids::uniform(4), {}, Symmetry::kAsymmetric, ScaleSearch::kAbsMax)
                ->fit({weights, {}})
                .zero,
            5);
}

std::unique_ptr<Rounder> ternary_rounder(ScaleSearch search, DType scales = DType::kF32) {
  Storable storable;
  storable.scale_type = scales;
  return make_rounder(grids::named("ternary"), storable, Symmetry::kAsymmetric, search);
}

TEST(TernaryGrid, HasThreeCodesAroundTheMiddle) {
  const auto r = ternary_rounder(ScaleSearch::kMse);
  EXPECT_FALSE(r->free_zero());
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto weights = sample_weights(seed);
    const GroupParams params = r->fit({weights, {}});
    EXPECT_EQ(params.zero, 2);
    for (const float w : weights) {
      const Code code = r->nearest(&w, params);
      EXPECT_GE(code, 1);
      EXPECT_LE(code, 3);
    }
  }
}

TEST(TernaryGrid, TakesTheBestOfAllScales) {
  const auto r = ternary_rounder(ScaleSearch::kWeighted);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto weights = sample_weights(seed, 100);
    weights[7] *= 30;  // far below the largest weight
    const auto importance = seed % 2 == 0 ? std::vector<float>() : sample_weights(seed + 99, 100);
    std::vector<float> shares;
    for (const float value : importance) shares.push_back(std::fabs(value));
    const GroupView group{weights, shares};
    const double found = loss(*r, group, r->fit(group));
    for (float scale = 0.01f; scale < 50; scale *= 1.01f)
      EXPECT_LE(found, loss(*r, group, {scale, 2}) * (1 + 1e-6)) << seed << " " << scale;
  }
}

// What a model was trained with comes back as it was.
TEST(TernaryGrid, KeepsWeightsOfThreeValues) {
  for (const ScaleSearch search : {ScaleSearch::kAbsMax, ScaleSearch::kMse}) {
    const auto r = ternary_rounder(search, DType::kF16);
    const float scale = half_to_float(float_to_half(0.0173f));
    std::vector<float> weights;
    for (int i = 0; i < 64; ++i) weights.push_back(scale * static_cast<float>(i * 7 % 3 - 1));
    EXPECT_EQ(loss(*r, {weights, {}}, r->fit({weights, {}})), 0);
  }
}

}  // namespace
}  // namespace nibble
