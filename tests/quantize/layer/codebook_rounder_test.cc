#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "formats/float8.h"
#include "quantize/layer/rounder.h"

namespace nibble {
namespace {

std::unique_ptr<Rounder> rounder(std::string_view grid, DType scales = DType::kF32,
                                 ScaleSearch search = ScaleSearch::kAbsMax) {
  Storable storable;
  storable.scale_type = scales;
  return make_rounder(grids::named(grid), storable, Symmetry::kSigned, search);
}

float rounded(const Rounder& by, float weight) {
  return by.grid().value(by.nearest(&weight, {1, 0}), {1, 0});
}

TEST(CodebookRounder, HalfwayBetweenFloatsTheEvenMantissaIsTaken) {
  const auto by = rounder("mxfp4");
  const std::pair<float, float> ties[] = {{0.25f, 0.0f}, {0.75f, 1.0f}, {1.25f, 1.0f},
                                          {1.75f, 2.0f}, {2.5f, 2.0f},  {3.5f, 4.0f},
                                          {5.0f, 4.0f},  {9.0f, 6.0f}};
  for (const auto& [weight, expected] : ties) {
    EXPECT_EQ(rounded(*by, weight), expected) << weight;
    EXPECT_EQ(rounded(*by, -weight), -expected) << weight;
  }
}

TEST(CodebookRounder, NothingBecomesMinusZeroButWhatIsBelowIt) {
  const auto by = rounder("nvfp4");
  EXPECT_FALSE(std::signbit(rounded(*by, 0.0f)));
  EXPECT_FALSE(std::signbit(rounded(*by, 0.1f)));
  EXPECT_TRUE(std::signbit(rounded(*by, -0.1f)));
}

TEST(CodebookRounder, RoundsToEightBitFloatsAsTheyAreDefined) {
  const auto by = rounder("fp8");
  Random random(7);
  for (int i = 0; i < 20000; ++i) {
    // All sizes from the smallest to beyond the largest.
    const auto weight =
        static_cast<float>((random.uniform() - 0.5) * std::exp2(20 * random.uniform() - 10));
    EXPECT_EQ(rounded(*by, weight), float8_to_float(float_to_float8(weight))) << weight;
  }
  for (int bits = 0; bits < 0x7E; ++bits) {
    const float middle = (float8_to_float(static_cast<std::uint8_t>(bits)) +
                          float8_to_float(static_cast<std::uint8_t>(bits + 1))) /
                         2;
    EXPECT_EQ(rounded(*by, middle), float8_to_float(float_to_float8(middle))) << bits;
    EXPECT_EQ(rounded(*by, -middle), float8_to_float(float_to_float8(-middle))) << bits;
  }
}

TEST(CodebookRounder, ScalesThatMustBePowersOfTwoAre) {
  const auto by = rounder("mxfp4", DType::kF8E8M0, ScaleSearch::kMse);
  Random random(3);
  std::vector<float> weights(32);
  for (int turn = 0; turn < 200; ++turn) {
    for (float& weight : weights) weight = static_cast<float>(random.uniform() - 0.5);
    const GroupParams params = by->fit({weights, {}});
    EXPECT_EQ(std::ldexp(1.0f, std::ilogb(params.scale)), params.scale);
    // Neither neighbour is better.
    const auto error = [&](float scale) {
      double sum = 0;
      for (const float weight : weights) {
        const float lost = weight - by->grid().value(by->nearest(&weight, {scale, 0}), {scale, 0});
        sum += static_cast<double>(lost) * lost;
      }
      return sum;
    };
    EXPECT_LE(error(params.scale), error(params.scale * 2) * 1.00001);
    EXPECT_LE(error(params.scale), error(params.scale / 2) * 1.00001);
  }
}

TEST(CodebookRounder, GroupsOfZerosDoNotRaiseScalesThatOthersShare) {
  const std::vector<float> zeros(128);
  EXPECT_LT(rounder("fp8")->fit({zeros, {}}).scale, 1e-20f);
  EXPECT_EQ(rounder("nf4")->fit({zeros, {}}).scale, 1.0f);
}

}  // namespace
}  // namespace nibble
