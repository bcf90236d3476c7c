#include "model/gguf/llama3_scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/spec.h"

namespace nibble {
namespace {

// What a GGUF file would have of such a rope, in float32.
std::vector<float> divisors_of(const Rope& rope, std::size_t head_dim) {
  Rope plain = rope;
  plain.scaling = RopeScaling::kNone;
  const auto before = rope_frequencies(plain, head_dim), after = rope_frequencies(rope, head_dim);
  std::vector<float> divisors;
  for (std::size_t i = 0; i < before.size(); ++i)
    divisors.push_back(static_cast<float>(before[i] / after[i]));
  return divisors;
}

Rope scaled(double factor, double low, double high, double original) {
  Rope rope;
  rope.theta = 500000;
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = factor;
  rope.low_freq_factor = low;
  rope.high_freq_factor = high;
  rope.original_context = original;
  return rope;
}

TEST(Llama3Scaling, FindsTheNumbersOfPublishedModels) {
  for (const double factor : {8.0, 32.0})
    for (const std::size_t head_dim : {64u, 128u}) {
      const auto found = llama3_scaling_of(divisors_of(scaled(factor, 1, 4, 8192), head_dim), 5e5);
      ASSERT_TRUE(found.has_value()) << factor << " " << head_dim;
      EXPECT_EQ(found->factor, factor);
      EXPECT_EQ(found->low_freq_factor, 1);
      EXPECT_EQ(found->high_freq_factor, 4);
      EXPECT_EQ(found->original_context, 8192);
    }
}

TEST(Llama3Scaling, FindsOthersFromTheLineBetweenTheLimits) {
  const Rope rope = scaled(16, 1, 8, 4096);
  const auto found = llama3_scaling_of(divisors_of(rope, 128), rope.theta);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->factor, 16);
  EXPECT_EQ(found->high_freq_factor, 8);
  EXPECT_EQ(found->original_context, 4096);
}

TEST(Llama3Scaling, FindsNoneForDivisorsOfAnotherKind) {
  std::vector<float> divisors = divisors_of(scaled(8, 1, 4, 8192), 128);
  divisors[3] = 1.5f;
  EXPECT_FALSE(llama3_scaling_of(divisors, 5e5).has_value());
  EXPECT_FALSE(llama3_scaling_of(std::vector<float>{1, 2, 3, 4}, 1e4).has_value());
}

}  // namespace
}  // namespace nibble
