#include "train/qat/grid_layer.h"

#include <gtest/gtest.h>

#include "nn/backward/slopes.h"
#include "nn/dense_linear.h"
#include "quantize/layer/rounding.h"

namespace nibble {
namespace {

using test::Doubles;

constexpr std::size_t kTokens = 9, kOutputs = 6, kInputs = 40, kGroup = 16;  // a short last group

struct Kind {
  const char* grid;
  const char* layout;
  const char* dialect;
  bool symmetric;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.grid << " of " << kind.layout; }

class GridLayerTest : public testing::TestWithParam<Kind> {
 protected:
  GridLayerTest() {
    LayoutSettings settings;
    settings.base = {&grids::named(GetParam().grid), kGroup};
    settings.dialect = GetParam().dialect;
    settings.symmetric = GetParam().symmetric;
    const Layout& layout = layouts::named(GetParam().layout);
    storable_ = layout.storable(code_shape(kOutputs, kInputs, settings.base), settings);
    options_ = Options(methods::named("rtn").options);
    if (!GetParam().symmetric) options_.set(kSymmetryOption, "asymmetric");
    decide_symmetry(*settings.base.grid, storable_, options_);
    const auto rounder = make_rounder(*settings.base.grid, storable_, options_);
    codes_ = fit_groups(weight_.view(), *rounder, kGroup, {});
    round_all(weight_.view(), *rounder, codes_);
    layer_ = std::make_unique<GridLayer>(*original_, codes_, storable_, options_, GridTraining());
    layer_->add_parameters("layer", parameters_);
    layer_->bind(parameters_);
  }
  std::span<float> values(std::size_t i) { return parameters_[i].values; }

  Tensor weight_ = test::random_tensor(kOutputs, kInputs, 1, 0.1);
  std::unique_ptr<Linear> original_ = dense_linear(weight_.clone());
  Storable storable_;
  Options options_;
  Codes codes_;
  std::unique_ptr<GridLayer> layer_;
  std::vector<Parameter> parameters_;
};

TEST_P(GridLayerTest, BeginsAsTheCodesAre) {
  const Codes before = codes_;
  layer_->refresh();
  EXPECT_EQ(codes_.codes, before.codes);
  EXPECT_EQ(codes_.scales, before.scales);
  ASSERT_EQ(parameters_.size(), 2u);
  EXPECT_EQ(parameters_[0].name, "layer.weight");
  EXPECT_EQ(parameters_[1].name, "layer.scales");
  EXPECT_EQ(values(0).size(), kOutputs * kInputs);
  EXPECT_EQ(values(1).size(), kOutputs * 3);
}

// What the layer computes with, as a plain function of units and factors whose rounding is held.
TEST_P(GridLayerTest, GradientsAreTheSlopesBesideTheRounding) {
  layer_->refresh();
  const Tensor x = test::random_tensor(kTokens, kInputs, 2),
               dy = test::random_tensor(kTokens, kOutputs, 3);
  layer_->add(x.view(), dy.view(), Compute::kFloat32);
  Tensor weights(kOutputs, kInputs);
  decode_rows(codes_, 0, weights.view());
  const Grid& grid = *codes_.grid;
  float step = 1;
  if (!grid.uniform())
    step = (*std::max_element(grid.codebook.begin(), grid.codebook.end()) -
            *std::min_element(grid.codebook.begin(), grid.codebook.end())) /
           static_cast<float>(grid.used_levels() - 1);
  const Doubles inputs = test::doubles_of(x), back = test::doubles_of(dy);
  // Σ dy·y with each weight moved by its unit's change, and each group stretched by its factor.
  const auto loss = [&](const Doubles& units, const Doubles& factors) {
    double sum = 0;
    for (std::size_t o = 0; o < kOutputs; ++o)
      for (std::size_t i = 0; i < kInputs; ++i) {
        const std::size_t group = o * 3 + i / kGroup;
        const double w =
            weights.view()(o, i) * factors[group] +
            (units[o * kInputs + i] - values(0)[o * kInputs + i]) * codes_.scales[group] * step;
        for (std::size_t t = 0; t < kTokens; ++t)
          sum += back[t * kOutputs + o] * inputs[t * kInputs + i] * w;
      }
    return sum;
  };
  const auto tensor_of = [](std::span<const float> from) {
    Tensor out(1, from.size());
    std::copy(from.begin(), from.end(), out.data());
    return out;
  };
  const Tensor units = tensor_of(values(0)), factors = tensor_of(values(1));
  const Doubles units_now = test::doubles_of(units), factors_now = test::doubles_of(factors);
  test::expect_slopes(
      tensor_of(parameters_[0].gradient), units,
      [&](const Doubles& u) { return loss(u, factors_now); }, "units");
  test::expect_slopes(
      tensor_of(parameters_[1].gradient), factors,
      [&](const Doubles& f) { return loss(units_now, f); }, "factors");
}

TEST_P(GridLayerTest, WhatGoesBeyondTheGridIsBroughtBack) {
  layer_->refresh();
  for (float& unit : values(0)) unit += 1000;
  layer_->refresh();
  const auto rounder = make_rounder(*codes_.grid, storable_, options_);
  for (std::size_t r = 0; r < kOutputs; ++r)
    for (std::size_t c = 0; c < kInputs; ++c) {
      const GroupParams params = codes_.params(r, c / kGroup);
      const float far = 1e6f * params.scale;
      EXPECT_EQ(codes_.code(r, c), rounder->nearest(&far, params));
    }
  const auto highest = codes_.codes;
  for (float& unit : values(0)) unit -= 4;  // neighbours are nearer than that
  layer_->refresh();
  for (std::size_t i = 0; i < highest.size(); ++i) EXPECT_NE(codes_.codes[i], highest[i]);
}

TEST_P(GridLayerTest, ScalesAreThoseThatAreStored) {
  for (float& factor : values(1)) factor = 1.2345678f;
  const auto before = codes_.scales;
  layer_->refresh();
  if (storable_.together == nullptr) {
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_EQ(codes_.scales[i], storable_.nearest_scale(before[i] * 1.2345678f));
    return;
  }
  Codes rounded = codes_;
  storable_.together(rounded);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(codes_.scales[i], before[i] * 1.2345678f, 0.02f * std::abs(before[i]));
}

TEST_P(GridLayerTest, ComputesWithItsCodes) {
  layer_->refresh();
  const auto linear = layer_->linear();
  Tensor decoded(kOutputs, kInputs), found(kOutputs, kInputs);
  decode_rows(codes_, 0, decoded.view());
  linear->decode(0, found.view());
  const Tensor x = test::random_tensor(kTokens, kInputs, 2);
  Tensor y(kTokens, kOutputs), expected(kTokens, kOutputs);
  linear->forward(x.view(), y.view(), Compute::kFloat32);
  dense_linear(decoded.clone())->forward(x.view(), expected.view(), Compute::kFloat32);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y.data()[i], expected.data()[i]);
}

INSTANTIATE_TEST_SUITE_P(Grids, GridLayerTest,
                         testing::Values(Kind{"int2", "gptq", "gptq", true},
                                         Kind{"int3", "gptq", "gptq", false},
                                         Kind{"int4", "hqq", "", false},
                                         Kind{"nf4", "bitsandbytes", "plain", true},
                                         Kind{"fp4", "bitsandbytes", "double", true}),
                         [](const auto& kind) { return std::string(kind.param.grid); });

TEST(GridTraining, ScalesThatStandTogetherAreLeftAlone) {
  const GridTraining training;
  LayoutSettings settings;
  const auto storable = [&](const char* type, std::size_t group) {
    settings.base = {&grids::named("int4"), group};
    settings.dialect = type;
    return layouts::named("gguf").storable(code_shape(16, 256, settings.base), settings);
  };
  EXPECT_TRUE(scales_are_trained(storable("Q4_0", 32), training));
  EXPECT_FALSE(scales_are_trained(storable("Q4_K", 32), training));
  EXPECT_FALSE(scales_are_trained(storable("Q4_0", 32), {.scales = false}));
}

}  // namespace
}  // namespace nibble
