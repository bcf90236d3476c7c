#include "evaluate/speed.h"

#include <gtest/gtest.h>

namespace nibble {
namespace {

constexpr Ceilings kMachine = {1e9, 8e9, 2e9, "f32"};  // bytes, byte products, float products

// Ten tokens of 1e6 products and 1e7 bytes each.
SpeedResult ten_tokens() { return {.tokens = 10, .bytes = 1e7, .ops = 1e7}; }

TEST(CeilingShare, OfAPromptIsItsArithmetic) {
  const SpeedTest prompt = {.prompt = 10};
  const CeilingShare bytes = share_of(kMachine, prompt, ten_tokens(), 4000, true);
  EXPECT_DOUBLE_EQ(bytes.share, 0.5);
  EXPECT_STREQ(bytes.ceiling, "int8");
  const CeilingShare floats = share_of(kMachine, prompt, ten_tokens(), 1000, false);
  EXPECT_DOUBLE_EQ(floats.share, 0.5);
  EXPECT_STREQ(floats.ceiling, "f32");
}

TEST(CeilingShare, OfGenerationIsTheNearerCeiling) {
  const CeilingShare alone = share_of(kMachine, {.generate = 10}, ten_tokens(), 80, true);
  EXPECT_DOUBLE_EQ(alone.share, 0.8);
  EXPECT_STREQ(alone.ceiling, "read");
  // Together, 100 sequences read the weights once.
  const CeilingShare many =
      share_of(kMachine, {.generate = 10, .parallel = 100}, ten_tokens(), 4000, true);
  EXPECT_DOUBLE_EQ(many.share, 0.5);
  EXPECT_STREQ(many.ceiling, "int8");
}

TEST(Ceilings, AreTheBestOfTwoMeasurements) {
  const Ceilings both = highest(kMachine, {2e9, 1e9, 3e9, "f32"});
  EXPECT_EQ(both.read_bytes, 2e9);
  EXPECT_EQ(both.int8_ops, 8e9);
  EXPECT_EQ(both.float_ops, 3e9);
}

}  // namespace
}  // namespace nibble
