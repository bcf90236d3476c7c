// GPTQ on small layers: what it loses beside plain rounding, beside the exact greedy method, and
// what it does when the Hessian is bad.
#include <gtest/gtest.h>

#include <cmath>

#include "quantize/layer/rounding.h"
#include "quantize/obq_reference.h"
#include "quantize/sample_task.h"

namespace nibble {
namespace {

using test::output_loss;
using test::SampleTask;

class GptqBits : public testing::TestWithParam<int> {};

TEST_P(GptqBits, StaysCloseToTheExactGreedyMethod) {
  double exact = 0, textbook = 0, plain = 0, polished = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SampleTask sample(8, 48, 400, GetParam(), "asymmetric", 16, seed);
    sample.settings["scales"] = "absmax";
    const Outcome outcome = sample.quantized("gptq");
    textbook += output_loss(sample.task, outcome.codes);
    Codes codes = outcome.codes;  // the same scales and zeros
    test::obq(sample.task, 0.01, codes);
    exact += output_loss(sample.task, codes);
    plain += output_loss(sample.task, sample.quantized("rtn").codes);
    sample.settings["scales"] = "weighted";
    polished += output_loss(sample.task, sample.quantized("gptq").codes);
  }
  EXPECT_LT(textbook, 1.25 * exact);
  EXPECT_LT(exact, 1.25 * textbook);
  EXPECT_LT(textbook, 0.8 * plain);
  EXPECT_LT(polished, 0.9 * textbook);
}

INSTANTIATE_TEST_SUITE_P(Gptq, GptqBits, testing::Values(2, 3, 4),
                         testing::PrintToStringParamName());

TEST(Gptq, WithoutCorrelationIsPlainRounding) {
  SampleTask sample(4, 32, 100, 4, "plain", 16);
  sample.hessian.fill(0);
  for (std::size_t c = 0; c < 32; ++c) sample.hessian.view()(c, c) = 1.0f + static_cast<float>(c);
  sample.settings["scales"] = "absmax";
  EXPECT_EQ(sample.quantized("gptq").codes.codes, sample.quantized("rtn").codes.codes);
}

TEST(Gptq, EveryOrderBeatsPlainRounding) {
  SampleTask sample(8, 64, 300, 3, "signed", 16);
  const double plain = output_loss(sample.task, sample.quantized("rtn").codes);
  for (const std::string order : {"static", "none", "gidx", "group-aware"}) {
    sample.settings["act-order"] = order;
    const Outcome outcome = sample.quantized("gptq");
    EXPECT_LT(output_loss(sample.task, outcome.codes), 0.8 * plain) << order;
    EXPECT_EQ(outcome.codes.group_index.empty(), order != "gidx");
  }
}

TEST(Gptq, ReportsTheErrorItLeaves) {
  SampleTask sample(8, 64, 300, 3, "signed", 32);
  const Outcome outcome = sample.quantized("gptq");
  Tensor nothing(8, 64);
  nothing.fill(0);
  const double whole = output_loss(sample.task.weight, nothing.view(), sample.task.hessian);
  EXPECT_NEAR(outcome.output_error.value(), output_loss(sample.task, outcome.codes) / whole,
              1e-4 * *outcome.output_error);
}

TEST(Gptq, LeavesDeadColumnsOutOfTheFeedback) {
  SampleTask sample(4, 32, 100, 4, "asymmetric", 16);
  for (const std::size_t dead : {3u, 20u})
    for (std::size_t c = 0; c < 32; ++c)
      sample.hessian.view()(dead, c) = sample.hessian.view()(c, dead) = 0;
  const Outcome outcome = sample.quantized("gptq");
  EXPECT_EQ(outcome.dead_columns, 2u);
  EXPECT_FALSE(outcome.fallback);
}

TEST(Gptq, RaisesDampingAndSaysSo) {
  SampleTask sample(4, 32, 8, 4, "plain", 32);  // fewer inputs than columns: singular
  sample.settings["damping"] = "0";
  const Outcome outcome = sample.quantized("gptq");
  EXPECT_FALSE(outcome.fallback);
  EXPECT_GT(outcome.damping.value(), 0);
  ASSERT_FALSE(outcome.notes.empty());
  EXPECT_NE(outcome.notes[0].find("damping raised"), std::string::npos);
}

TEST(Gptq, RoundsWhereTheHessianIsUnusable) {
  SampleTask sample(4, 32, 100, 4, "plain", 32);
  sample.hessian.view()(5, 5) = NAN;
  const Outcome outcome = sample.quantized("gptq");
  EXPECT_TRUE(outcome.fallback);
  ASSERT_FALSE(outcome.notes.empty());
  sample.task.hessian = ConstMatrix();
  EXPECT_TRUE(sample.quantized("gptq").fallback);
}

}  // namespace
}  // namespace nibble
