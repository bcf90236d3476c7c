// Float kernels of each instruction set against the scalar ones.
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/tables_under_test.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class FloatKernels : public testing::TestWithParam<TableUnderTest> {
 protected:
  const Kernels& table() const { return *GetParam().table; }
};

TEST_P(FloatKernels, DotAndSquareSumEqualTheDefinition) {
  for (const std::size_t count : kOddCounts) {
    const auto a = random_floats(count, 1), b = random_floats(count, 2);
    double sizes = 0;
    for (std::size_t i = 0; i < count; ++i) sizes += std::abs(double{a[i]} * b[i]);
    EXPECT_NEAR(table().dot(a.data(), b.data(), count),
                scalar::table.dot(a.data(), b.data(), count), kSumTolerance * sizes);
    const float squares = scalar::table.square_sum(a.data(), count);
    EXPECT_NEAR(table().square_sum(a.data(), count), squares, kSumTolerance * squares);
  }
}

TEST_P(FloatKernels, AddScaledChangesExactlyCountValues) {
  for (const std::size_t count : kOddCounts) {
    const auto x = random_floats(count, 3);
    auto y = random_floats(count + 3, 4);
    const auto before = y;
    table().add_scaled(-1.5f, x.data(), y.data() + 1, count);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_NEAR(y[i + 1], before[i + 1] - 1.5 * x[i], 1e-6) << i;
    EXPECT_EQ(y.front(), before.front());
    EXPECT_EQ(y[count + 1], before[count + 1]);
  }
}

TEST_P(FloatKernels, WidensEveryBfloat16) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  std::vector<float> values(all.size());
  table().bfloat16_to_float(all.data(), values.data(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), i << 16);
}

TEST_P(FloatKernels, WidensEveryFloat16) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  std::vector<float> values(all.size());
  table().half_to_float(all.data(), values.data(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const float expected = half_to_float(all[i]);
    if (std::isnan(expected))
      ASSERT_TRUE(std::isnan(values[i])) << i;
    else
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected))
          << i;
  }
}

TEST_P(FloatKernels, RoundsToBfloat16AsTheDefinitionDoes) {
  std::vector<float> values;
  for (std::uint32_t top = 0; top < 65536; ++top)
    for (const std::uint32_t low : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      values.push_back(std::bit_cast<float>(top << 16 | low));
  std::vector<std::uint16_t> rounded(values.size());
  table().float_to_bfloat16(values.data(), rounded.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(rounded[i], float_to_bfloat16(values[i])) << std::bit_cast<std::uint32_t>(values[i]);
}

TEST_P(FloatKernels, RoundingToHalfIsExact) {
  std::vector<float> values = {0.0f,    -0.0f,   1.0f,    65504.0f, 65519.0f, 65520.0f, -1e9f,
                               6.1e-5f, 5.9e-8f, 2.9e-8f, 3e-8f,    INFINITY, -INFINITY};
  for (std::uint32_t bits = 0x33000000; bits < 0x47900000; bits += 0x0FED1)
    values.push_back(std::bit_cast<float>(bits));
  std::vector<std::uint16_t> rounded(values.size());
  table().float_to_half(values.data(), rounded.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(rounded[i], float_to_half(values[i])) << values[i];
}

TEST_P(FloatKernels, BytesBecomeTheirScalesMultiples) {
  std::vector<std::int8_t> codes(96);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::int8_t>(i * 37 - 128);
  const float scales[3] = {0.5f, -2.0f, 1e-3f};
  std::vector<float> values(97, 7.0f);
  table().bytes_to_float(codes.data(), scales, 3, values.data());
  for (std::size_t i = 0; i < 96; ++i) EXPECT_EQ(values[i], scales[i / 32] * codes[i]);
  EXPECT_EQ(values[96], 7.0f);
}

TEST_P(FloatKernels, MixAddsWeightedRows) {
  for (const std::size_t columns : kOddCounts)
    for (const std::size_t rows : {0u, 1u, 2u, 7u}) {
      const std::size_t stride = columns + 3;
      const auto values = random_floats(rows * stride + 1, 3), weights = random_floats(rows + 1, 4);
      std::vector<std::uint16_t> halves(values.size()), bfloats(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        halves[i] = float_to_half(values[i]);
        bfloats[i] = float_to_bfloat16(values[i]);
      }
      const auto start = random_floats(columns + 1, 6);
      const auto check = [&](const std::vector<float>& mixed, auto value, const char* name) {
        for (std::size_t c = 0; c < columns; ++c) {
          double expected = start[c], size = std::abs(start[c]);
          for (std::size_t r = 0; r < rows; ++r) {
            const double part = static_cast<double>(weights[r]) * value(r * stride + c);
            expected += part;
            size += std::abs(part);
          }
          ASSERT_NEAR(mixed[c], expected, 1e-6 * size) << name << " " << rows << "x" << columns;
        }
        EXPECT_EQ(mixed[columns], start[columns]);
      };
      auto y = start;
      table().mix_float(weights.data(), values.data(), stride, rows, columns, y.data());
      check(
          y, [&](std::size_t i) { return values[i]; }, "float");
      y = start;
      table().mix_half(weights.data(), halves.data(), stride, rows, columns, y.data());
      check(
          y, [&](std::size_t i) { return half_to_float(halves[i]); }, "half");
      y = start;
      table().mix_bfloat16(weights.data(), bfloats.data(), stride, rows, columns, y.data());
      check(
          y, [&](std::size_t i) { return bfloat16_to_float(bfloats[i]); }, "bfloat16");
    }
}

TEST_P(FloatKernels, ConversionsStopAtTheEnd) {
  for (const std::size_t count : kOddCounts) {
    std::vector<std::uint16_t> from(count, 0x3F80);
    std::vector<float> to(count + 1, 7.0f);
    table().bfloat16_to_float(from.data(), to.data(), count);
    table().half_to_float(from.data(), to.data(), count);
    EXPECT_EQ(to[count], 7.0f);
    std::vector<std::uint16_t> back(count + 1, 9);
    table().float_to_bfloat16(to.data(), back.data(), count);
    EXPECT_EQ(back[count], 9);
    table().float_to_half(to.data(), back.data(), count);
    EXPECT_EQ(back[count], 9);
  }
}

// exp within 1e-6, and the roundings of the sum and of the division.
constexpr double kShareTolerance = 1.3e-6;

TEST_P(FloatKernels, SoftmaxIsAccurateOverTheWholeRangeOfExp) {
  for (double exponent = -86; exponent <= 0; exponent += 0.037) {
    // A maximum of 0: no rounding of the shifted value hides what exp itself does.
    float row[2] = {0.0f, static_cast<float>(exponent)};
    const double power = std::exp(double{row[1]});
    table().softmax(row, 2);
    EXPECT_NEAR(row[1] / (power / (1 + power)), 1, kShareTolerance) << exponent;
  }
}

TEST_P(FloatKernels, SoftmaxAndExpSumEqualTheDefinitionOnOddSizes) {
  for (const std::size_t count : kOddCounts) {
    auto row = random_floats(count, 5);
    for (float& value : row) value *= 20;
    auto expected = row;
    float max = 0, expected_max = 0;
    const float sum = table().exp_sum(row.data(), count, &max);
    const float expected_sum = scalar::table.exp_sum(row.data(), count, &expected_max);
    EXPECT_NEAR(sum, expected_sum, 2e-6 * expected_sum);
    EXPECT_EQ(max, expected_max);
    table().softmax(row.data(), count);
    scalar::table.softmax(expected.data(), count);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_NEAR(row[i], expected[i], 4e-6 * expected[i] + 1e-37) << i;
  }
}

TEST_P(FloatKernels, MaskedPositionsGetNoShare) {
  for (const std::size_t count : {2u, 9u, 33u}) {
    std::vector<float> row(count, -kInfinity);
    row[count / 2] = -1e30f;
    table().softmax(row.data(), count);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(row[i], i == count / 2 ? 1.0f : 0.0f);
  }
}

TEST_P(FloatKernels, ARowMaskedThroughoutBecomesZeros) {
  for (const std::size_t count : {1u, 9u, 33u}) {
    std::vector<float> row(count, -kInfinity);
    float max = 0;
    EXPECT_EQ(table().exp_sum(row.data(), count, &max), 0.0f);
    EXPECT_EQ(max, -kInfinity);
    table().softmax(row.data(), count);
    for (const float share : row) EXPECT_EQ(share, 0.0f);
  }
}

TEST_P(FloatKernels, ANanShowsInTheWholeRow) {
  for (const std::size_t count : {3u, 17u, 40u})
    for (const std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
      auto row = random_floats(count, 6);
      row[at] = kNan;
      float max = 0;
      EXPECT_TRUE(std::isnan(table().exp_sum(row.data(), count, &max)));
      table().softmax(row.data(), count);
      for (const float share : row) EXPECT_TRUE(std::isnan(share));
    }
}

TEST_P(FloatKernels, SiluEqualsTheDefinitionAndMayWriteOverItsInput) {
  for (const std::size_t count : kOddCounts) {
    auto gate = random_floats(count, 7);
    for (float& value : gate) value *= 30;
    const auto up = random_floats(count, 8);
    std::vector<float> expected(count);
    scalar::table.silu_multiply(gate.data(), up.data(), expected.data(), count);
    table().silu_multiply(gate.data(), up.data(), gate.data(), count);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_NEAR(gate[i], expected[i], 2e-6 * std::abs(expected[i]) + 1e-35) << i;
  }
}

TEST_P(FloatKernels, SiluOfExtremesVanishesOrPasses) {
  const float gate[] = {-1e30f, -200.0f, -0.0f, 0.0f, 200.0f, 1e30f, kNan};
  const float up[] = {1, 1, 1, 1, 1, 1, 1};
  float out[7];
  table().silu_multiply(gate, up, out, 7);
  EXPECT_NEAR(out[1], 0, 1e-30);
  EXPECT_EQ(out[2], 0);
  EXPECT_EQ(out[3], 0);
  EXPECT_EQ(out[4], 200);
  EXPECT_EQ(out[5], 1e30f);
  EXPECT_TRUE(std::isnan(out[6]));
}

TEST_P(FloatKernels, GeluEqualsTheDefinitionAndMayWriteOverItsInput) {
  for (const std::size_t count : kOddCounts)
    for (const float size : {1.0f, 5.0f, 100.0f}) {
      auto gate = random_floats(count, 13);
      for (float& value : gate) value *= size;
      const auto up = random_floats(count, 14), before = gate;
      std::vector<float> expected(count);
      scalar::table.gelu_tanh_multiply(gate.data(), up.data(), expected.data(), count);
      table().gelu_tanh_multiply(gate.data(), up.data(), gate.data(), count);
      for (std::size_t i = 0; i < count; ++i)
        EXPECT_NEAR(gate[i], expected[i], 1e-6 * std::abs(double{before[i]} * up[i])) << before[i];
    }
}

TEST_P(FloatKernels, GradientsOfGatesEqualTheDefinition) {
  for (const std::size_t count : kOddCounts)
    for (const float size : {1.0f, 5.0f, 60.0f})
      for (const auto gradient : {&Kernels::silu_gradient, &Kernels::gelu_tanh_gradient}) {
        auto gate = random_floats(count, 15), up = random_floats(count, 16);
        for (float& value : gate) value *= size;
        const auto dout = random_floats(count, 17), x = gate, factor = up;
        auto expected_gate = gate, expected_up = up;
        (scalar::table.*gradient)(dout.data(), expected_gate.data(), expected_up.data(), count);
        (table().*gradient)(dout.data(), gate.data(), up.data(), count);
        for (std::size_t i = 0; i < count; ++i) {
          EXPECT_NEAR(gate[i], expected_gate[i], 4e-6 * std::abs(dout[i] * factor[i])) << x[i];
          EXPECT_NEAR(up[i], expected_up[i], 2e-6 * std::abs(dout[i] * x[i])) << x[i];
        }
      }
}

// Central differences of the products themselves.
TEST_P(FloatKernels, GradientsOfGatesAreTheSlopesOfTheirProducts) {
  struct Pair {
    decltype(Kernels::silu_multiply) product;
    decltype(Kernels::silu_gradient) gradient;
  };
  constexpr double kStep = 1e-3;
  for (const auto& [product, gradient] :
       {Pair{scalar::table.silu_multiply, table().silu_gradient},
        {scalar::table.gelu_tanh_multiply, table().gelu_tanh_gradient}})
    for (float x = -6; x <= 6; x += 0.37f) {
      const float up = 1.7f, dout = 1;
      const float ends[] = {static_cast<float>(x + kStep), static_cast<float>(x - kStep)};
      const float ups[] = {up, up};
      float out[2], gate = x, factor = up;
      product(ends, ups, out, 2);
      gradient(&dout, &gate, &factor, 1);
      EXPECT_NEAR(gate, (out[0] - out[1]) / (double{ends[0]} - ends[1]), 1e-3) << x;
    }
}

TEST_P(FloatKernels, GeluIsTheTanhForm) {
  for (double x = -6; x <= 6; x += 0.01) {
    const auto gate = static_cast<float>(x);
    const float up = 1;
    float out = 0;
    table().gelu_tanh_multiply(&gate, &up, &out, 1);
    const double inner = std::sqrt(2 / M_PI) * (double{gate} + 0.044715 * std::pow(gate, 3));
    EXPECT_NEAR(out, 0.5 * gate * (1 + std::tanh(inner)), 1e-6 * std::abs(x) + 1e-9) << x;
  }
}

TEST_P(FloatKernels, GeluOfExtremesVanishesOrPasses) {
  const float gate[] = {-1e30f, -200.0f, -0.0f, 0.0f, 200.0f, 1e30f, kNan};
  const float up[] = {1, 1, 1, 1, 1, 1, 1};
  float out[7];
  table().gelu_tanh_multiply(gate, up, out, 7);
  EXPECT_NEAR(out[0], 0, 1e-6);
  EXPECT_NEAR(out[1], 0, 1e-30);
  EXPECT_EQ(out[2], 0);
  EXPECT_EQ(out[3], 0);
  EXPECT_EQ(out[4], 200);
  EXPECT_EQ(out[5], 1e30f);
  EXPECT_TRUE(std::isnan(out[6]));
}

TEST_P(FloatKernels, DenseProductsEqualTheDefinition) {
  for (const std::size_t columns : kOddCounts)
    for (const std::size_t rows : {1u, 4u, 7u}) {
      const std::size_t stride = columns + 5;
      const auto w = random_floats(rows * stride, 9), x = random_floats(columns, 10);
      std::vector<std::uint16_t> bfloats(w.size()), halves(w.size());
      for (std::size_t i = 0; i < w.size(); ++i) {
        bfloats[i] = float_to_bfloat16(w[i]);
        halves[i] = float_to_half(w[i]);
      }
      std::vector<float> y(rows), expected(rows);
      const double tolerance = kSumTolerance * 4 * static_cast<double>(columns) + 1e-30;
      const auto compare = [&](const char* what) {
        for (std::size_t r = 0; r < rows; ++r) EXPECT_NEAR(y[r], expected[r], tolerance) << what;
      };
      table().gemv_float(w.data(), stride, x.data(), rows, columns, y.data());
      scalar::table.gemv_float(w.data(), stride, x.data(), rows, columns, expected.data());
      compare("float");
      table().gemv_bfloat16(bfloats.data(), stride, x.data(), rows, columns, y.data());
      scalar::table.gemv_bfloat16(bfloats.data(), stride, x.data(), rows, columns, expected.data());
      compare("bfloat16");
      table().gemv_half(halves.data(), stride, x.data(), rows, columns, y.data());
      scalar::table.gemv_half(halves.data(), stride, x.data(), rows, columns, expected.data());
      compare("half");
    }
}

TEST_P(FloatKernels, RoundingErrorEqualsTheDefinition) {
  for (const std::size_t count : kOddCounts)
    for (const float scale : {0.3f, -0.17f, 1e-4f}) {
      const auto w = random_floats(count, 11);
      auto importance = random_floats(count, 12);
      for (float& value : importance) value = std::abs(value);
      const float expected =
          scalar::table.rounding_error(w.data(), importance.data(), count, scale, 7.0f, 15.0f);
      EXPECT_NEAR(table().rounding_error(w.data(), importance.data(), count, scale, 7.0f, 15.0f),
                  expected, 1e-5 * expected);
    }
}

INSTANTIATE_TEST_SUITE_P(Tables, FloatKernels, testing::ValuesIn(tables_under_test()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FloatKernels);

}  // namespace
}  // namespace nibble
