#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace nibble {
namespace {

// Of the authors' own program: https://prng.di.unimi.it/splitmix64.c from the state 1234567.
TEST(Random, GivesTheNumbersOfSplitMix64) {
  Random random(1234567);
  for (const std::uint64_t expected :
       {6457827717110365317ull, 3203168211198807973ull, 9817491932198370423ull,
        4593380528125082431ull, 16408922859458223821ull})
    EXPECT_EQ(random.bits(), expected);
}

TEST(Random, BelowReachesEveryNumberAboutEquallyOften) {
  Random random(3);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) ++seen.at(random.below(7));
  // Six standard deviations of a binomial with 70,000 trials and probability 1/7.
  for (const int count : seen) EXPECT_NEAR(count, 10'000, 6 * 93);
}

TEST(Random, BelowOneIsAlwaysZero) {
  Random random(5);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, BelowStaysBelowCountsThatNoDoubleHolds) {
  Random random(5);
  const std::uint64_t count = UINT64_MAX - 1;
  std::uint64_t largest = 0;
  for (int i = 0; i < 1000; ++i) largest = std::max(largest, random.below(count));
  EXPECT_LT(largest, count);
  EXPECT_GT(largest, count / 4 * 3);
}

TEST(Random, UniformIsNeverOneAndHasItsMoments) {
  Random random(9);
  double sum = 0, squares = 0;
  constexpr int kCount = 100'000;
  for (int i = 0; i < kCount; ++i) {
    const double value = random.uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
    squares += value * value;
  }
  // Six standard errors of the mean, of x and of x².
  EXPECT_NEAR(sum / kCount, 1.0 / 2, 6 * 0.2887 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 6 * 0.2981 / std::sqrt(kCount));
}

TEST(Random, NormalHasMeanZeroAndVarianceOne) {
  Random random(11);
  double sum = 0, squares = 0;
  constexpr int kCount = 100'000;
  for (int i = 0; i < kCount; ++i) {
    const double value = random.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kCount, 0, 6 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1, 6 * std::sqrt(2.0 / kCount));
}

TEST(Random, SeedsThatAreNeighboursGiveDifferentNumbers) {
  Random first(0), second(1);
  int equal = 0;
  for (int i = 0; i < 64; ++i) equal += first.bits() == second.bits() ? 1 : 0;
  EXPECT_EQ(equal, 0);
}

}  // namespace
}  // namespace nibble
