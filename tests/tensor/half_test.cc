// float16 and bfloat16 against slow definitions.
#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace nibble {
namespace {

// IEEE 754 binary16 by arithmetic on doubles, which hold every value exactly.
Half reference_half(float value) {
  const Half sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(value));
  if (std::isnan(value)) return static_cast<Half>(sign | 0x7E00);
  if (magnitude == 0) return sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int step = std::max(exponent - 11, -24);  // the weight of the last bit is 2^step
  // nearbyint in the default mode rounds ties to even.
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(magnitude, -step)), step);
  if (rounded >= 65536) return static_cast<Half>(sign | 0x7C00);
  if (rounded < 0x1p-14) return static_cast<Half>(sign | static_cast<int>(rounded * 0x1p24));
  std::frexp(rounded, &exponent);
  const int fraction = static_cast<int>(std::ldexp(rounded, 11 - exponent)) - 1024;
  return static_cast<Half>(sign | (exponent + 14) << 10 | fraction);
}

TEST(Half, EveryValueSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = half_to_float(static_cast<Half>(bits));
    const Half back = float_to_half(value);
    if (std::isnan(value))
      EXPECT_EQ(back & 0x7C00, 0x7C00) << bits;
    else
      EXPECT_EQ(back, bits);
  }
}

TEST(Half, RoundsLikeTheDefinition) {
  Random random(1);
  for (int i = 0; i < 500'000; ++i) {
    // Half of the values in the range where float16 has numbers, the rest from all bits.
    auto bits = static_cast<std::uint32_t>(random.bits());
    if (i % 2 == 0) bits = (bits & 0x807FFFFF) | static_cast<std::uint32_t>(100 + i / 2 % 46) << 23;
    const float value = std::bit_cast<float>(bits);
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_half(value), reference_half(value)) << value;
  }
}

TEST(Half, TakesTiesToTheEvenNeighbour) {
  for (std::uint32_t bits = 0; bits + 1 < 0x7C00; ++bits) {
    const float low = half_to_float(static_cast<Half>(bits));
    const float high = half_to_float(static_cast<Half>(bits + 1));
    const float middle = low + (high - low) / 2;  // exact: floats have 13 more bits
    ASSERT_EQ(float_to_half(middle), bits % 2 == 0 ? bits : bits + 1);
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e9f)), bits + 1);
  }
}

TEST(Half, OverflowsToInfinityFromTheMiddleAboveTheLargest) {
  EXPECT_EQ(float_to_half(65519.996f), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0f), 0x7C00);
  EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xFC00);
}

TEST(Bfloat16, EveryValueSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = bfloat16_to_float(static_cast<Bfloat16>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(value))));
    else
      EXPECT_EQ(float_to_bfloat16(value), bits);
  }
}

TEST(Bfloat16, RoundsToNearestAndTiesToEven) {
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3F808000u)), 0x3F80);  // tie, stays even
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3F818000u)), 0x3F82);  // tie, goes up to even
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3F807FFFu)), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::bit_cast<float>(0x7F800001u)))));
}

}  // namespace
}  // namespace nibble
