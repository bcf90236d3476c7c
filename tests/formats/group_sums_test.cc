// What is found for sixteen groups side by side, beside plain loops over one group in float64.
#include "formats/blocks/group_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace nibble::block_formats {
namespace {

constexpr std::size_t kSize = 32;

double nearest(const EvenLevels& levels, double steps) {
  return std::clamp(std::nearbyint(steps), static_cast<double>(levels.lowest),
                    static_cast<double>(levels.highest));
}

// Between two levels the border goes to the higher one.
double nearest(const UnevenLevels&, double steps) {
  double best = static_cast<double>(kUnevenLevels.front());
  for (const float level : kUnevenLevels) {
    const auto value = static_cast<double>(level);
    if (std::fabs(steps - value) <= std::fabs(steps - best)) best = value;
  }
  return best;
}

class GroupSumsTest : public testing::Test {
 protected:
  GroupSumsTest() {
    std::mt19937 generator(3);
    std::normal_distribution<float> normal(0, 0.02f);
    for (std::size_t i = 0; i < kAside * kSize; ++i) {
      weights_.push_back(normal(generator));
      importance_.push_back(std::fabs(normal(generator)));
    }
    gather(weights_.data(), importance_.data(), weights_.size(), kSize, groups_);
  }

  template <typename Visit>
  void for_each_weight(std::size_t g, Visit visit) const {
    for (std::size_t i = g * kSize; i < (g + 1) * kSize; ++i)
      visit(static_cast<double>(weights_[i]), static_cast<double>(importance_[i]));
  }

  template <typename Levels>
  double lost(std::size_t g, const Levels& levels, float scale, float minimum = 0) const {
    double sum = 0;
    for_each_weight(g, [&](double weight, double importance) {
      const double above = weight - static_cast<double>(minimum), by = static_cast<double>(scale);
      const double rest = above - by * nearest(levels, scale == 0 ? 0 : above / by);
      sum += importance * rest * rest;
    });
    return sum;
  }

  // The least that the scale of least squares loses for the levels nearest at `scale`.
  template <typename Levels>
  double least(std::size_t g, const Levels& levels, float scale) const {
    double product = 0, square = 0, all = 0;
    for_each_weight(g, [&](double weight, double importance) {
      const double level = nearest(levels, weight / static_cast<double>(scale));
      product += importance * level * weight;
      square += importance * level * level;
      all += importance * weight * weight;
    });
    return square > 0 ? all - product * product / square : all;
  }

  template <typename Levels>
  void expect_measured(const Levels& levels, float unit) const {
    std::array<OfGroups, 5> scales, got;
    for (std::size_t c = 0; c < scales.size(); ++c)
      for (std::size_t g = 0; g < kAside; ++g)
        scales[c][g] = unit * (static_cast<float>(g) - 4) * static_cast<float>(c);
    measure(groups_, levels, scales, got.data());
    for (std::size_t c = 0; c < scales.size(); ++c)
      for (std::size_t g = 0; g < kAside; ++g) {
        const double expected = lost(g, levels, scales[c][g]);
        EXPECT_NEAR(got[c][g], expected, 1e-5 * expected) << c << " " << g;
      }
  }

  template <typename Levels>
  void expect_best_fit(const Levels& levels, const std::vector<float>& multiples) const {
    OfGroups unit;
    for (std::size_t g = 0; g < kAside; ++g) unit[g] = weights_[g * kSize + 5];
    const ScaleFits fits = best_fits(groups_, levels, unit, multiples);
    for (std::size_t g = 0; g < kAside; ++g) {
      double best = lost(g, levels, 0);
      for (const float multiple : multiples)
        for (const float sign : {1.0f, -1.0f})
          best = std::min(best, least(g, levels, sign * unit[g] / multiple));
      // Nearest levels at the fitted scale lose no more than those it was fitted to.
      EXPECT_LE(lost(g, levels, fits.scale[g]), best * (1 + 1e-4)) << g;
      EXPECT_GT(fits.curvature[g], 0);
    }
  }

  std::vector<float> weights_, importance_;
  Groups groups_;
};

TEST_F(GroupSumsTest, EachGroupLosesWhatItLosesAlone) {
  expect_measured(EvenLevels{-8, 7}, 0.001f);
  expect_measured(EvenLevels{-32, 31}, 0.0004f);
  expect_measured(UnevenLevels{}, 0.0001f);
}

TEST_F(GroupSumsTest, TheBestScaleOfAllCandidatesIsFitted) {
  expect_best_fit(EvenLevels{-8, 7}, {4, 6, 8, 10, 12});
  expect_best_fit(EvenLevels{-32, 31}, {20, 25, 30, 35, 40});
  expect_best_fit(UnevenLevels{}, {60, 80, 100, 120});
}

TEST_F(GroupSumsTest, LinesLoseWhatEachLosesAlone) {
  const EvenLevels levels{0, 15};
  std::array<Lines, 3> lines;
  std::array<OfGroups, 3> got;
  for (std::size_t c = 0; c < lines.size(); ++c)
    for (std::size_t g = 0; g < kAside; ++g) {
      lines[c].scale[g] = 0.0005f * static_cast<float>(g + 1);
      lines[c].minimum[g] = -0.02f * static_cast<float>(c);
    }
  measure(groups_, levels.highest, lines, got.data());
  for (std::size_t c = 0; c < lines.size(); ++c)
    for (std::size_t g = 0; g < kAside; ++g) {
      const double expected = lost(g, levels, lines[c].scale[g], lines[c].minimum[g]);
      EXPECT_NEAR(got[c][g], expected, 1e-5 * expected) << c << " " << g;
    }
}

TEST_F(GroupSumsTest, ALineOfLeastSquaresBeatsTheOneItsCodesCameFrom) {
  Lines whole;
  whole.scale.fill(0.1f);
  whole.minimum.fill(-0.05f);
  const std::array<Interval, 1> all{{{0, 1}}};
  for (const bool free : {false, true}) {
    const Lines fit = best_fits(groups_, 15, free, whole, all);
    for (std::size_t g = 0; g < kAside; ++g) {
      const double before = lost(g, EvenLevels{0, 15}, 0.1f / 15, -0.05f);
      EXPECT_LE(lost(g, EvenLevels{0, 15}, fit.scale[g], fit.minimum[g]), before * (1 + 1e-5));
    }
  }
}

TEST_F(GroupSumsTest, AMinimumAboveZeroIsHeldAtZero) {
  for (OfGroups& weights : groups_.weights)
    for (float& weight : weights) weight = std::fabs(weight) + 0.2f;
  Lines whole;
  whole.minimum.fill(0.2f);
  whole.scale.fill(0.1f);
  const std::array<Interval, 2> intervals{{{0, 1}, {0.2f, 0.8f}}};
  const Lines held = best_fits(groups_, 15, false, whole, intervals);
  const Lines free = best_fits(groups_, 15, true, whole, intervals);
  for (std::size_t g = 0; g < kAside; ++g) {
    EXPECT_EQ(held.minimum[g], 0);
    EXPECT_GT(free.minimum[g], 0);
  }
}

TEST_F(GroupSumsTest, StepsAreTheBestNeighbours) {
  const EvenLevels levels{-8, 7}, allowed{-32, 31};
  OfGroups wanted, unit;
  wanted.fill(0.004f);
  unit.fill(0.0005f);
  const Steps steps = choose_steps(groups_, levels, allowed, wanted, unit);
  for (std::size_t g = 0; g < kAside; ++g) {
    double best = lost(g, levels, 7 * 0.0005f);
    for (const float step : {8.0f, 9.0f}) best = std::min(best, lost(g, levels, step * 0.0005f));
    EXPECT_NEAR(lost(g, levels, steps.step[g] * 0.0005f), best, 1e-5 * best);
    EXPECT_NEAR(steps.lost[g], best, 1e-5 * best);
  }
  wanted.fill(1);  // far beyond the last integer
  EXPECT_EQ(choose_steps(groups_, levels, allowed, wanted, unit).step[3], 31);
}

TEST_F(GroupSumsTest, StepsOfLinesAreTheBestNeighbours) {
  const EvenLevels levels{0, 15}, allowed{0, 63};
  Lines wanted, unit;
  wanted.scale.fill(0.005f);
  wanted.minimum.fill(-0.04f);
  unit.scale.fill(0.0002f);
  unit.minimum.fill(0.002f);
  const LineSteps steps = choose_steps(groups_, 15, allowed, wanted, unit);
  for (std::size_t g = 0; g < kAside; ++g) {
    double best = lost(g, levels, 0);
    for (const float step : {24.0f, 25.0f, 26.0f})
      for (const float shift : {19.0f, 20.0f, 21.0f})
        best = std::min(best, lost(g, levels, step * 0.0002f, -shift * 0.002f));
    EXPECT_NEAR(steps.lost[g], best, 1e-5 * best);
    EXPECT_NEAR(lost(g, levels, steps.step[g] * 0.0002f, -steps.shift[g] * 0.002f), best,
                1e-5 * best);
  }
}

// Every multiple of a quarter meets all borders between levels.
TEST_F(GroupSumsTest, CodesAreThoseOfTheNearestLevels) {
  std::vector<float> numbers;
  for (int i = -600; i < 600; ++i) numbers.push_back(static_cast<float>(i) / 4);
  std::vector<int> uneven(numbers.size()), even(numbers.size());
  choose_codes(numbers.data(), numbers.size(), UnevenLevels{}, 1, 0, uneven.data());
  choose_codes(numbers.data(), numbers.size(), EvenLevels{-8, 7}, 2, 1, even.data());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = static_cast<double>(numbers[i]);
    EXPECT_EQ(kUnevenLevels[static_cast<std::size_t>(uneven[i])], nearest(UnevenLevels{}, number));
    EXPECT_EQ(even[i] - 8, nearest(EvenLevels{-8, 7}, (number - 1) / 2)) << number;
  }
}

// The search looks up levels in another way than codes do.
TEST_F(GroupSumsTest, UnevenLevelsAreNearestAtEveryBorder) {
  OfGroups one;
  one.fill(1);
  for (int i = -600; i < 600; ++i) {
    const float number = static_cast<float>(i) / 4;
    const std::vector<float> same(kSize, number);
    Groups group;
    gather(same.data(), nullptr, kSize, kSize, group);
    OfGroups got;
    measure(group, UnevenLevels{}, {&one, 1}, &got);
    const double rest =
        static_cast<double>(number) - nearest(UnevenLevels{}, static_cast<double>(number));
    EXPECT_EQ(got[0], kSize * rest * rest) << number;
    const LevelSums sums = level_sums(group, UnevenLevels{}, one);
    EXPECT_EQ(sums.product[0], kSize * static_cast<double>(number) *
                                   nearest(UnevenLevels{}, static_cast<double>(number)));
  }
}

// A power of two changes no digit, and small importance is importance still.
TEST_F(GroupSumsTest, FitsDoNotDependOnTheUnitOfImportance) {
  const std::vector<float> multiples{6, 8, 10};
  OfGroups unit;
  unit.fill(0.05f);
  const ScaleFits before = best_fits(groups_, EvenLevels{-8, 7}, unit, multiples);
  for (OfGroups& importance : groups_.importance)
    for (float& value : importance) value *= 0x1p-60f;
  const ScaleFits after = best_fits(groups_, EvenLevels{-8, 7}, unit, multiples);
  EXPECT_EQ(after.scale, before.scale);
  for (std::size_t g = 0; g < kAside; ++g)
    EXPECT_EQ(after.curvature[g], before.curvature[g] * 0x1p-60f);
}

TEST_F(GroupSumsTest, MissingGroupsRepeatTheFirst) {
  Groups few;
  gather(weights_.data(), nullptr, 3 * kSize, kSize, few);
  EXPECT_EQ(few.weights[7][2], weights_[2 * kSize + 7]);
  EXPECT_EQ(few.weights[7][3], weights_[7]);
  EXPECT_EQ(few.importance[7][15], 1);
}

}  // namespace
}  // namespace nibble::block_formats
