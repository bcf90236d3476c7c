#include "evaluate/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "nibble/error.h"

namespace nibble {
namespace {

std::vector<float> random_logits(std::size_t count, double spread, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> logits(count);
  for (float& value : logits) value = static_cast<float>(spread * random.normal());
  return logits;
}

// The textbook sum, in extended precision.
long double textbook_kl(const std::vector<float>& base, const std::vector<float>& other) {
  const auto normaliser = [](const std::vector<float>& logits) {
    long double sum = 0;
    for (const float value : logits) sum += std::exp(static_cast<long double>(value));
    return std::log(sum);
  };
  const long double p = normaliser(base), q = normaliser(other);
  long double kl = 0;
  for (std::size_t i = 0; i < base.size(); ++i)
    kl += std::exp(base[i] - p) * ((base[i] - p) - (other[i] - q));
  return kl;
}

PositionDifference difference(const std::vector<float>& base, const std::vector<float>& other,
                              std::int32_t target = 0) {
  DivergenceRoom room;
  return compare_position(base, other, target, room);
}

TEST(Divergence, OfAModelToItselfIsExactlyZero) {
  const auto logits = random_logits(1003, 4, 1);
  const auto result = difference(logits, logits);
  EXPECT_EQ(result.kl, 0);
  EXPECT_TRUE(result.same_top);
  EXPECT_EQ(result.base_loss, result.other_loss);
}

TEST(Divergence, OfTwoCoinsIsKnown) {
  // p = (1/2, 1/2), q = (1/4, 3/4): KL = ln 2 − ln 3 / 2.
  const auto result = difference({0, 0}, {0, std::log(3.0f)}, 1);
  EXPECT_NEAR(result.kl, std::log(2.0) - std::log(3.0) / 2, 1e-7);
  EXPECT_NEAR(result.base_target, 0.5, 1e-6);
  EXPECT_NEAR(result.other_target, 0.75, 1e-6);
  EXPECT_NEAR(result.other_loss, -std::log(0.75), 1e-6);
}

// Float logits of size 4 carry errors near 2e-7, which enter squared and to first order times the
// distance: 1e-4 relative holds down to a distance of 1e-3.
TEST(Divergence, MatchesTheTextbookFromTinyToLarge) {
  const auto base = random_logits(5000, 3, 2);
  for (const double distance : {1e-3, 1e-2, 0.1, 0.5, 1.0, 3.0}) {
    auto other = random_logits(5000, distance, 3);
    for (std::size_t i = 0; i < base.size(); ++i) other[i] += base[i];
    const auto expected = static_cast<double>(textbook_kl(base, other));
    EXPECT_NEAR(difference(base, other).kl, expected, 1e-4 * expected) << distance;
  }
}

TEST(Divergence, DoesNotSeeAConstantAddedToAllLogits) {
  const auto base = random_logits(777, 2, 4);
  auto other = base;
  for (float& value : other) value += 8;
  EXPECT_LT(difference(base, other).kl, 1e-11);
}

TEST(Divergence, IsFiniteWhenProbabilitiesVanish) {
  std::vector<float> base(64, -200), other(64, -200);
  base[0] = other[1] = 200;
  const auto result = difference(base, other);
  EXPECT_NEAR(result.kl, 400, 1e-3);
  EXPECT_FALSE(result.same_top);
}

TEST(Divergence, TopTokenIsTheFirstOfEquals) {
  std::vector<float> base(100, 0), other(100, 0);
  base[37] = base[90] = 5;
  other[37] = 5;
  EXPECT_TRUE(difference(base, other).same_top);
}

TEST(Divergence, RefusesLogitsThatAreNotFinite) {
  const auto good = random_logits(40, 1, 5);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto other = good;
    other[17] = bad;
    EXPECT_THROW(difference(good, other), Error) << bad;
    EXPECT_THROW(difference(other, good), Error) << bad;
  }
}

}  // namespace
}  // namespace nibble
