#include "formats/float8.h"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(Float8, HasTheValuesOfItsFields) {
  EXPECT_EQ(float8_to_float(0x00), 0.0f);
  EXPECT_TRUE(std::signbit(float8_to_float(0x80)));
  EXPECT_EQ(float8_to_float(0x01), 0x1p-9f);  // the smallest
  EXPECT_EQ(float8_to_float(0x07), 7 * 0x1p-9f);
  EXPECT_EQ(float8_to_float(0x08), 0x1p-6f);  // the smallest with an exponent of its own
  EXPECT_EQ(float8_to_float(0x38), 1.0f);
  EXPECT_EQ(float8_to_float(0xB9), -1.125f);
  EXPECT_EQ(float8_to_float(0x7E), 448.0f);
  EXPECT_TRUE(is_float8_nan(0x7F));
  EXPECT_TRUE(is_float8_nan(0xFF));
}

TEST(Float8, EveryNumberBecomesItself) {
  for (int bits = 0; bits < 256; ++bits)
    if (!is_float8_nan(static_cast<std::uint8_t>(bits))) {
      const auto byte = static_cast<std::uint8_t>(bits);
      EXPECT_EQ(float_to_float8(float8_to_float(byte)), byte) << bits;
    }
}

TEST(Float8, WhatLiesBetweenGoesToTheNearestAndHalfwayToTheEven) {
  for (int bits = 0; bits < 0x7E; ++bits) {
    const auto lower = static_cast<std::uint8_t>(bits), upper = static_cast<std::uint8_t>(bits + 1);
    const float a = float8_to_float(lower), b = float8_to_float(upper), middle = (a + b) / 2;
    EXPECT_EQ(float_to_float8(middle), bits % 2 == 0 ? lower : upper) << bits;
    EXPECT_EQ(float_to_float8(std::nextafter(middle, a)), lower) << bits;
    EXPECT_EQ(float_to_float8(std::nextafter(middle, b)), upper) << bits;
    EXPECT_EQ(float_to_float8(-std::nextafter(middle, b)), 0x80 | upper) << bits;
  }
}

TEST(Float8, WhatIsTooLargeIsCut) {
  EXPECT_EQ(float_to_float8(1e9f), 0x7E);
  EXPECT_EQ(float_to_float8(-1e9f), 0xFE);
}

}  // namespace
}  // namespace nibble
