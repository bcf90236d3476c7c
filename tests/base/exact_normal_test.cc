#include "base/exact_normal.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.h"
#include "base/json.h"
#include "support/paths.h"

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

// The bits themselves, computed with exact fractions (scripts/make_golden_exact_normal.py).
TEST(ExactNormal, GivesTheSameBitsEverywhere) {
  const Json golden = read_json(fs::path(kSourceFolder) / "tests/golden/base/exact_normal.json");
  for (const auto& [seed, numbers] : golden.items()) {
    ExactNormal normal(std::stoull(seed));
    for (const Json& bits : numbers)
      EXPECT_EQ(std::bit_cast<std::uint64_t>(normal.next()),
                std::stoull(bits.get<std::string>(), nullptr, 16));
  }
}

}  // namespace
}  // namespace nibble
