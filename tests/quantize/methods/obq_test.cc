// OBQ beside another way of doing the same (obq_reference.h), and what it refuses.
#include <gtest/gtest.h>

#include "quantize/layer/rounding.h"
#include "quantize/obq_reference.h"
#include "quantize/sample_task.h"

namespace nibble {
namespace {

using test::output_loss;
using test::SampleTask;

TEST(Obq, ChoosesTheCodesOfTheReference) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SampleTask sample(8, 48, 400, 3, "asymmetric", 16, seed);
    const Outcome outcome = sample.quantized("obq");
    Codes codes = outcome.codes;
    std::fill(codes.codes.begin(), codes.codes.end(), std::uint8_t{0});
    test::obq(sample.task, 0.01, codes);
    std::size_t differing = 0;
    for (std::size_t i = 0; i < codes.codes.size(); ++i)
      differing += codes.codes[i] != outcome.codes.codes[i] ? 1 : 0;
    // The factor is kept in float: where two costs are nearly one, the order may turn.
    EXPECT_LE(differing, codes.codes.size() / 50) << seed;
    EXPECT_NEAR(output_loss(sample.task, outcome.codes) / output_loss(sample.task, codes), 1, 0.02);
  }
}

TEST(Obq, LosesLessThanRounding) {
  SampleTask sample(16, 64, 400, 3, "signed", 16);
  const Outcome outcome = sample.quantized("obq");
  EXPECT_LT(output_loss(sample.task, outcome.codes),
            0.8 * output_loss(sample.task, sample.quantized("rtn").codes));
  EXPECT_FALSE(outcome.fallback);
  EXPECT_EQ(outcome.damping, 0.01);
}

TEST(Obq, WithoutAnInverseItRounds) {
  SampleTask sample(4, 32, 100, 4, "plain", 16);
  sample.hessian.fill(0);
  const Outcome outcome = sample.quantized("obq");
  EXPECT_TRUE(outcome.fallback);
  EXPECT_EQ(outcome.dead_columns, 32u);
}

TEST(Obq, LongRowsAreRefused) {
  const CodeShape shape = code_shape(16, 1056, {&grids::named("int4"), 32});
  const Method& obq = methods::named("obq");
  const std::string refusal = obq.refusal(shape, {}, Options(obq.options));
  EXPECT_NE(refusal.find("rows of 1056 weights"), std::string::npos) << refusal;
}

}  // namespace
}  // namespace nibble
