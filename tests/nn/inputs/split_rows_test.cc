// Rows as LLM.int8 takes them: which columns are taken out, by what the others are rounded.
#include "nn/inputs/split_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "nn/inputs/byte_matrix.h"

namespace nibble {
namespace {

Tensor small_inputs(std::size_t rows, std::size_t columns) {
  Random random(rows + columns);
  Tensor x(rows, columns);
  for (std::size_t i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(2 * random.uniform() - 1);
  return x;
}

std::vector<std::uint32_t> columns_of(const SplitRows& split) {
  return {split.columns().begin(), split.columns().end()};
}

TEST(SplitRows, AColumnIsTakenOutWhereAnyRowReachesTheThreshold) {
  for (const std::size_t rows : {3u, 70u}) {
    Tensor x = small_inputs(rows, 45);
    x.view()(rows - 1, 44) = -7;
    x.view()(1, 5) = 6;
    x.view()(0, 6) = std::nextafter(6.0f, 0.0f);
    const SplitRows split(x.view(), 6);
    EXPECT_EQ(columns_of(split), (std::vector<std::uint32_t>{5, 44}));
    for (std::size_t r = 0; r < rows; ++r) {
      EXPECT_EQ(split.outliers()(r, 0), x.view()(r, 5));
      EXPECT_EQ(split.outliers()(r, 1), x.view()(r, 44));
      EXPECT_EQ(split.codes().values()(r, 5), 0);
      EXPECT_EQ(split.codes().values()(r, 44), 0);
    }
    EXPECT_EQ(split.codes().values()(0, 6), 127);
  }
}

TEST(SplitRows, ARowIsScaledByItsLargestInputBelowTheThreshold) {
  Tensor x = small_inputs(3, 40);
  x.view()(0, 5) = 100;
  x.view()(1, 5) = 5.5f;  // in a column that row 0 takes out
  const SplitRows split(x.view(), 6);
  float top = 0;
  for (std::size_t c = 0; c < 40; ++c)
    if (c != 5) top = std::max(top, std::fabs(x.view()(0, c)));
  EXPECT_EQ(split.scales()[0], top / 127);
  EXPECT_EQ(split.scales()[1], 5.5f / 127);
  for (std::size_t c = 6; c < 40; ++c)
    EXPECT_EQ(split.codes().values()(1, c), std::nearbyint(x.view()(1, c) * (127 / 5.5f)));
}

TEST(SplitRows, AThresholdOf0TakesOutNothing) {
  Tensor x = small_inputs(2, 40);
  x.view()(1, 7) = -1e6f;
  const SplitRows split(x.view(), 0);
  EXPECT_TRUE(split.columns().empty());
  EXPECT_EQ(split.scales()[1], 1e6f / 127);
  EXPECT_EQ(split.codes().values()(1, 7), -127);
}

// They would be lost among bytes, and a model that gives no numbers seem to give some.
TEST(SplitRows, WhatIsNoNumberIsTakenOutWhateverTheThreshold) {
  for (const float threshold : {0.0f, 6.0f}) {
    Tensor x = small_inputs(2, 40);
    x.view()(0, 3) = std::numeric_limits<float>::quiet_NaN();
    x.view()(1, 9) = -std::numeric_limits<float>::infinity();
    const SplitRows split(x.view(), threshold);
    EXPECT_EQ(columns_of(split), (std::vector<std::uint32_t>{3, 9}));
    EXPECT_TRUE(std::isnan(split.outliers()(0, 0)));
  }
}

TEST(SplitRows, ARowOfZerosIsZeros) {
  Tensor x(1, 40);
  x.fill(0);
  const SplitRows split(x.view(), 6);
  EXPECT_EQ(split.scales()[0], 0);
  for (std::size_t c = 0; c < 40; ++c) EXPECT_EQ(split.codes().values()(0, c), 0);
}

TEST(SplitRows, BytesAreTheSameCodesWithTheirSumsAndScalesOf1) {
  for (const std::size_t rows : {1u, 70u}) {
    const Tensor x = small_inputs(rows, 45);
    const SplitRows split(x.view(), 6);
    const ByteRows bytes = split.codes().bytes().view();
    ASSERT_EQ(bytes.blocks, 2u);
    for (std::size_t r = 0; r < rows; ++r) {
      int sums[4] = {};
      for (std::size_t c = 0; c < 64; ++c) {
        const int code = bytes.codes[r * 64 + c];
        EXPECT_EQ(static_cast<float>(code), c < 45 ? split.codes().values()(r, c) : 0);
        sums[c / 16] += code;
      }
      for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(bytes.sums[4 * r + i], sums[i]);
      EXPECT_EQ(bytes.scales[2 * r], 1);
      EXPECT_EQ(bytes.scales[2 * r + 1], 1);
    }
  }
}

}  // namespace
}  // namespace nibble
