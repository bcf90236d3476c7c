#include "evaluate/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "evaluate/demo_model.h"
#include "evaluate/protocol.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using test::expected_figures;
using test::kDemoModel;
using test::kProse;

TEST(Perplexity, OfEvenLogitsIsTheSizeOfTheVocabulary) {
  const std::vector<float> logits(100, 3.5f);
  EXPECT_NEAR(negative_log_probability(logits, 42), std::log(100.0), 1e-6);
}

TEST(Perplexity, RefusesLogitsThatAreNotNumbers) {
  std::vector<float> logits(100, 0);
  logits[3] = std::numeric_limits<float>::quiet_NaN();
  try {
    negative_log_probability(logits, 42);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNumeric);
  }
}

// Both sides multiply in float32 in another order; 1e-4 relative is asked for, 1e-5 is usual.
TEST(Perplexity, EqualsTransformersUnderEveryProtocol) {
  const Json expected = expected_figures();
  for (const auto& [protocol, figures] : expected["protocols"].items()) {
    MeasureOptions options = {.protocol = protocol};
    if (protocols::named(protocol).protocol->reads_context)
      options.context = expected["stride_context"].get<std::size_t>();
    const auto result = measure_perplexity(kDemoModel, kProse, options);
    const double perplexity = figures["perplexity"].get<double>();
    EXPECT_NEAR(result.perplexity, perplexity, 1e-4 * perplexity) << protocol;
    EXPECT_NEAR(result.standard_error, figures["stderr"].get<double>(), 1e-3) << protocol;
    EXPECT_NEAR(std::exp(result.mean_nll), result.perplexity, 1e-9) << protocol;
    EXPECT_EQ(result.scope.tokens, figures["tokens"].get<std::size_t>()) << protocol;
    EXPECT_EQ(result.scope.text_tokens, expected["text_tokens"].get<std::size_t>());
  }
}

// Every window of gptq-64 scores 63 tokens, so the mean of the windows is that of the tokens.
TEST(Perplexity, TellsWhatEachWindowCost) {
  const auto result = measure_perplexity(kDemoModel, kProse, {.protocol = "gptq-64", .windows = 3});
  ASSERT_EQ(result.window_nll.size(), 3u);
  EXPECT_NEAR((result.window_nll[0] + result.window_nll[1] + result.window_nll[2]) / 3,
              result.mean_nll, 1e-12);
  EXPECT_NE(result.window_nll[0], result.window_nll[1]);
  const auto first = measure_perplexity(kDemoModel, kProse, {.protocol = "gptq-64", .windows = 1});
  EXPECT_EQ(first.window_nll, std::vector<double>{result.window_nll[0]});
}

TEST(Perplexity, DoesNotDependOnTheNumberOfThreads) {
  const MeasureOptions options = {.protocol = "gptq-96", .windows = 3};
  set_threads(1);
  const double one = measure_perplexity(kDemoModel, kProse, options).perplexity;
  set_threads(3);
  const double three = measure_perplexity(kDemoModel, kProse, options).perplexity;
  set_threads(0);
  EXPECT_EQ(one, three);
}

TEST(Perplexity, ReportsProgressToTheEnd) {
  double last = -1, total = 0;  // it begins with 0, before the first window
  measure_perplexity(
      kDemoModel, kProse,
      {.protocol = "gptq-64", .windows = 3, .progress = [&](double done, double all) {
         EXPECT_GT(done, last);
         last = done;
         total = all;
       }});
  EXPECT_EQ(last, 3 * 64);
  EXPECT_EQ(total, last);
}

}  // namespace
}  // namespace nibble
