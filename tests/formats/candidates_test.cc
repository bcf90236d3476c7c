// What is measured side by side, beside one candidate at a time in plain loops.
#include "formats/blocks/candidates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace nibble::block_formats {
namespace {

constexpr int kSize = 32;

class CandidatesTest : public testing::Test {
 protected:
  CandidatesTest() {
    std::mt19937 generator(3);
    std::normal_distribution<float> normal(0, 0.02f);
    for (int i = 0; i < kSize; ++i) {
      weights_.push_back(normal(generator));
      importance_.push_back(std::fabs(normal(generator)));
    }
  }
  Group group() const { return {weights_.data(), importance_.data(), kSize}; }

  template <typename Levels>
  double lost(const Levels& levels, float scale) const {
    double sum = 0;
    for (std::size_t i = 0; i < kSize; ++i) {
      const double rest = static_cast<double>(
          weights_[i] - scale * levels.nearest(scale == 0 ? 0 : weights_[i] * (1 / scale)));
      sum += static_cast<double>(importance_[i]) * rest * rest;
    }
    return sum;
  }

  // Of all numbers of candidates up to more than two vectors.
  template <typename Levels>
  void expect_measured(const Levels& levels, float unit) {
    for (int count = 1; count < 40; ++count) {
      Candidates<float> scales;
      for (int i = 0; i < count; ++i) scales.add(unit * static_cast<float>(i - 5));
      measure(group(), levels, scales);
      for (std::size_t i = 0; i < scales.size(); ++i) {
        const double expected = lost(levels, scales[i]);
        EXPECT_NEAR(scales.lost(i), expected, 1e-5 * expected) << count << " " << i;
      }
    }
  }

  template <typename Levels>
  void expect_fitted(const Levels& levels, float unit) {
    Candidates<float> scales;
    double least = lost(levels, 0);
    for (int i = 1; i < 30; ++i) {
      scales.add(unit * static_cast<float>(i));
      double product = 0, square = 0, all = 0, norm = 0;
      for (std::size_t k = 0; k < kSize; ++k) {
        const double share = static_cast<double>(importance_[k]);
        const double weight = static_cast<double>(weights_[k]);
        const double level =
            static_cast<double>(levels.nearest(weights_[k] * (1 / scales[scales.size() - 1])));
        product += share * level * weight;
        square += share * level * level;
        norm += share * weight * weight;
      }
      all = norm - product * product / square;
      least = std::min(least, all);
    }
    const ScaleFit fit = best_fit(group(), levels, scales);
    EXPECT_GT(fit.curvature, 0);
    // Nearest levels at the fitted scale lose no more than those it was fitted to.
    EXPECT_LE(lost(levels, fit.scale), least * (1 + 1e-4));
  }

  std::vector<float> weights_, importance_;
};

TEST_F(CandidatesTest, LoseWhatEachLosesAlone) {
  expect_measured(EvenLevels{-8, 7}, 0.001f);
  expect_measured(EvenLevels{-32, 31}, 0.0004f);
  expect_measured(UnevenLevels{}, 0.0001f);
}

TEST_F(CandidatesTest, AreFittedByLeastSquares) {
  expect_fitted(EvenLevels{-8, 7}, 0.0004f);
  expect_fitted(EvenLevels{-32, 31}, 0.0001f);
  expect_fitted(UnevenLevels{}, 0.00003f);
}

TEST_F(CandidatesTest, LinesLoseWhatEachLosesAlone) {
  const EvenLevels levels{0, 15};
  Candidates<Line> lines;
  for (int i = 1; i < 40; ++i)
    lines.add({0.0005f * static_cast<float>(i), -0.002f * static_cast<float>(i)});
  measure(group(), levels.highest, lines);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    double expected = 0;
    for (std::size_t k = 0; k < kSize; ++k) {
      const float above = weights_[k] - lines[i].minimum;
      const double rest = static_cast<double>(
          above - lines[i].scale * levels.nearest(above * (1 / lines[i].scale)));
      expected += static_cast<double>(importance_[k]) * rest * rest;
    }
    EXPECT_NEAR(lines.lost(i), expected, 1e-5 * expected);
  }
  const Line free = best_fit(group(), levels.highest, true, lines);
  const Line held = best_fit(group(), levels.highest, false, lines);
  EXPECT_LE(held.minimum, 0);
  Candidates<Line> both;
  both.add(free);
  both.add(held);
  both.add(lines[lines.best(0, lines.size())]);
  measure(group(), levels.highest, both);
  EXPECT_LE(both.lost(0), both.lost(2) * (1 + 1e-4f));
}

// A power of two changes no digit, and small importance is importance still.
TEST_F(CandidatesTest, DoNotDependOnTheUnitOfImportance) {
  const EvenLevels levels{-8, 7};
  Candidates<float> scales;
  for (int i = 1; i < 30; ++i) scales.add(0.0004f * static_cast<float>(i));
  const ScaleFit before = best_fit(group(), levels, scales);
  for (float& value : importance_) value *= 0x1p-60f;
  const ScaleFit after = best_fit(group(), levels, scales);
  EXPECT_EQ(after.scale, before.scale);
  EXPECT_EQ(after.curvature, before.curvature * 0x1p-60f);
}

}  // namespace
}  // namespace nibble::block_formats
