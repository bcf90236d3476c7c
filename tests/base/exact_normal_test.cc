#include "base/exact_normal.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

namespace nibble {
namespace {

TEST(ExactNormal, LogarithmIsThatOfTheLibrary) {
  Random random(1);
  for (int i = 0; i < 100'000; ++i) {
    const double x = std::ldexp(1 + random.uniform(), static_cast<int>(random.below(120)) - 100);
    EXPECT_NEAR(exact_log(x), std::log(x), 4e-16 * std::max(1.0, std::fabs(std::log(x)))) << x;
  }
  EXPECT_EQ(exact_log(1), 0);
}

TEST(ExactNormal, HasTheMomentsAndTailsOfANormalDistribution) {
  ExactNormal normal(7);
  constexpr int kCount = 1'000'000;
  double sum = 0, squares = 0, fourths = 0;
  int beyond_one = 0, beyond_three = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = normal.next();
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
    beyond_one += std::fabs(x) > 1;
    beyond_three += std::fabs(x) > 3;
  }
  // Five standard deviations of each estimate.
  EXPECT_NEAR(sum / kCount, 0, 5e-3);
  EXPECT_NEAR(squares / kCount, 1, 7.1e-3);
  EXPECT_NEAR(fourths / kCount, 3, 5e-2);
  EXPECT_NEAR(beyond_one, 317'311, 2'330);
  EXPECT_NEAR(beyond_three, 2'700, 260);
}

// The bits themselves: SUMS is what scripts of exact fractions say.
TEST(ExactNormal, GivesTheSameBitsEverywhere) {
  ExactNormal normal(1234567);
  const std::vector<std::uint64_t> expected = {
      0xbfdebc4cf27faaa1ull, 0xbff0ba0c4494f5e8ull, 0x3fcae3779d73ac06ull, 0xbffa31612673b4cdull,
      0x3fee25ce2e69f00bull, 0xbfc7cf7aebf15730ull, 0x3fe460c0dcdeb86dull, 0xbff94214913a8396ull};
  for (const std::uint64_t bits : expected)
    EXPECT_EQ(std::bit_cast<std::uint64_t>(normal.next()), bits);
}

}  // namespace
}  // namespace nibble
