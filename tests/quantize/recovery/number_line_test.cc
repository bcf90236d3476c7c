// Numbers of each type have places that rise with them, and intervals that round back.
#include "quantize/recovery/number_line.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace nibble {
namespace {

const DType kWeights[] = {DType::kF16, DType::kBF16, DType::kF32};

TEST(NumberLine, PlacesRiseAndComeBack) {
  for (const DType type :
       {DType::kF16, DType::kBF16, DType::kF32, DType::kF8E8M0, DType::kF8E4M3}) {
    const std::int64_t last = last_place(type);
    const std::int64_t step = std::max<std::int64_t>(1, last / 1000);
    float before = 0;
    for (std::int64_t place = 1; place <= last; place += step) {
      const float number = number_at(type, place);
      EXPECT_GT(number, before);
      EXPECT_EQ(place_of(type, number), place) << number;
      before = number;
    }
  }
  EXPECT_EQ(number_at(DType::kF16, last_place(DType::kF16)), 65504.0f);
  EXPECT_EQ(number_at(DType::kF16, place_of(DType::kF16, -0.5f)), -0.5f);
  EXPECT_EQ(number_at(DType::kF8E4M3, last_place(DType::kF8E4M3)), 448.0f);
}

TEST(NumberLine, IntervalsHoldWhatIsRoundedToANumberAndHardlyMore) {
  for (const DType type : kWeights)
    for (const float value : {1.0f, -1.5f, 0.001f, 6e-8f, -3e4f}) {
      const float number = rounded_to(type, value);
      if (number == 0) continue;
      const Interval from = rounded_from(type, number);
      const double width = from.high - from.low;
      EXPECT_EQ(rounded_to(type, static_cast<float>(from.middle())), number);
      if (type == DType::kF32) continue;
      EXPECT_EQ(rounded_to(type, static_cast<float>(from.low + 0.01 * width)), number);
      EXPECT_EQ(rounded_to(type, static_cast<float>(from.high - 0.01 * width)), number);
      EXPECT_NE(rounded_to(type, static_cast<float>(from.low - 0.01 * width)), number);
      EXPECT_NE(rounded_to(type, static_cast<float>(from.high + 0.01 * width)), number);
    }
}

TEST(NumberLine, VisitsNumbersBetweenBoundsFromTheMiddle) {
  std::vector<float> seen;
  const auto note = [&](float number) {
    seen.push_back(number);
    return false;
  };
  EXPECT_FALSE(any_between(DType::kF8E8M0, {0.3, 5}, 8, note));
  EXPECT_EQ(seen, (std::vector<float>{2, 4, 1, 0.5f}));
  seen.clear();
  EXPECT_FALSE(any_between(DType::kF16, {0.9999, 1.0006}, 8, note));
  EXPECT_EQ(seen.size(), 1u);
  seen.clear();
  EXPECT_FALSE(any_between(DType::kF32, {2, 1}, 8, note));
  EXPECT_TRUE(seen.empty());
}

}  // namespace
}  // namespace nibble
