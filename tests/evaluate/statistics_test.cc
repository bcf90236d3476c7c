#include "evaluate/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nibble {
namespace {

TEST(Statistics, ErrorOfTheMeanIsDeviationOverRootOfCount) {
  const std::vector<double> values = {1, 2, 3, 6};
  const Mean mean = mean_of(values);
  EXPECT_DOUBLE_EQ(mean.value, 3);
  EXPECT_DOUBLE_EQ(mean.error, std::sqrt((4 + 1 + 0 + 9) / 3.0 / 4));
}

TEST(Statistics, FewValuesHaveNoError) {
  EXPECT_EQ(mean_of({}).value, 0);
  const std::vector<double> one = {5};
  EXPECT_EQ(mean_of(one).value, 5);
  EXPECT_EQ(mean_of(one).error, 0);
}

TEST(Statistics, PercentilesLieBetweenNeighbours) {
  const std::vector<double> sorted = {0, 10, 20, 40};
  EXPECT_DOUBLE_EQ(percentile(sorted, 0), 0);
  EXPECT_DOUBLE_EQ(percentile(sorted, 0.5), 15);
  EXPECT_DOUBLE_EQ(percentile(sorted, 0.9), 34);
  EXPECT_DOUBLE_EQ(percentile(sorted, 1), 40);
}

}  // namespace
}  // namespace nibble
