#include "evaluate/compare.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/parallel.h"
#include "evaluate/demo_model.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using test::expected_figures;
using test::kDemoModel;
using test::kProse;
using test::link_demo_model;
using test::TempDir;

TEST(Compare, SummaryOfFourPositionsIsKnown) {
  std::vector<PositionDifference> positions(4);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto n = static_cast<double>(i);
    positions[i] = {.kl = n,
                    .base_loss = 1,
                    .other_loss = 1 + 0.1 * n,
                    .base_target = 0.5,
                    .other_target = 0.5 - 0.1 * n,
                    .same_top = i != 3};
  }
  const CompareResult result = summarise(positions);
  EXPECT_DOUBLE_EQ(result.mean_kl, 1.5);
  EXPECT_DOUBLE_EQ(result.mean_kl_error, std::sqrt(5.0 / 3 / 4));
  EXPECT_DOUBLE_EQ(result.median_kl, 1.5);
  EXPECT_DOUBLE_EQ(result.kl_p90, 2.7);
  EXPECT_DOUBLE_EQ(result.max_kl, 3);
  EXPECT_DOUBLE_EQ(result.top1, 0.75);
  EXPECT_DOUBLE_EQ(result.top1_error, std::sqrt(0.75 * 0.25 / 3));
  EXPECT_NEAR(result.mean_delta_p, -0.15, 1e-12);
  EXPECT_NEAR(result.rms_delta_p, std::sqrt(0.14 / 4), 1e-12);
  EXPECT_NEAR(result.log_ratio, 0.15, 1e-12);
  EXPECT_NEAR(result.log_ratio_error, 0.1 * std::sqrt(5.0 / 3 / 4), 1e-12);
  EXPECT_DOUBLE_EQ(result.perplexity_base, std::exp(1.0));
  EXPECT_EQ(result.perplexity_base_error, 0);
  EXPECT_DOUBLE_EQ(result.perplexity, std::exp(1.15));
}

TEST(Compare, AModelIsNotDifferentFromItself) {
  const auto result =
      compare_models(kDemoModel, kDemoModel, kProse, {.protocol = "gptq-128", .windows = 2});
  EXPECT_EQ(result.mean_kl, 0);
  EXPECT_EQ(result.max_kl, 0);
  EXPECT_EQ(result.top1, 1);
  EXPECT_EQ(result.log_ratio, 0);
  EXPECT_EQ(result.perplexity, result.perplexity_base);
}

// Differences this small (mean KL 4e-4) amplify the rounding of float32 logits: 1e-3 relative.
TEST(Compare, EqualsTransformersOnAModelWithAnotherRotation) {
  const Json expected = expected_figures();
  const Json& figures = expected["compare_gptq-128"];
  const TempDir other;
  link_demo_model(other, "rope_theta", expected["other_rope_theta"]);
  const auto result = compare_models(kDemoModel, other.path(), kProse, {.protocol = "gptq-128"});
  const auto near = [&](const char* key, double actual, double relative) {
    const double value = figures[key].get<double>();
    EXPECT_NEAR(actual, value, relative * std::fabs(value)) << key;
  };
  near("mean_kl", result.mean_kl, 1e-3);
  near("kl_median", result.median_kl, 1e-2);
  near("kl_p99", result.kl_p99, 1e-3);
  near("kl_max", result.max_kl, 1e-3);
  near("delta_p_mean", result.mean_delta_p, 1e-2);
  near("delta_p_rms", result.rms_delta_p, 1e-3);
  near("ln_ratio", result.log_ratio, 1e-2);
  near("ln_ratio_stderr", result.log_ratio_error, 1e-3);
  // One position in a thousand may have two equally likely tokens.
  EXPECT_NEAR(result.top1, figures["top1"].get<double>(), 1.01e-3);
}

TEST(Compare, DoesNotDependOnTheNumberOfThreads) {
  const TempDir other;
  link_demo_model(other, "rope_theta", 9000.0);
  const MeasureOptions options = {.protocol = "gptq-96", .windows = 2};
  set_threads(1);
  const auto one = compare_models(kDemoModel, other.path(), kProse, options);
  set_threads(3);
  const auto three = compare_models(kDemoModel, other.path(), kProse, options);
  set_threads(0);
  EXPECT_GT(one.mean_kl, 0);
  EXPECT_EQ(one.mean_kl, three.mean_kl);
  EXPECT_EQ(one.log_ratio_error, three.log_ratio_error);
}

TEST(Compare, TellsWhatEachWindowCostBothModels) {
  const TempDir other;
  link_demo_model(other, "rope_theta", 9000.0);
  const MeasureOptions options = {.protocol = "gptq-64", .windows = 2};
  const auto result = compare_models(kDemoModel, other.path(), kProse, options);
  const auto base = measure_perplexity(kDemoModel, kProse, options).window_nll;
  const auto changed = measure_perplexity(other.path(), kProse, options).window_nll;
  ASSERT_EQ(result.window_nll_base.size(), 2u);
  ASSERT_EQ(result.window_nll.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {  // other numbers of rows are summed in another order
    EXPECT_NEAR(result.window_nll_base[i], base[i], 1e-5);
    EXPECT_NEAR(result.window_nll[i], changed[i], 1e-5);
  }
  EXPECT_NE(result.window_nll, result.window_nll_base);
}

// The demo model with "the" and "and" in each other's place in the vocabulary.
void swap_two_words(const TempDir& other) {
  link_demo_model(other, "rope_theta", 10000.0);
  std::string tokenizer = read_file(kDemoModel / "tokenizer.json", 1 << 24);
  const auto swap = [&](const std::string& from, const std::string& to) {
    const auto at = tokenizer.find(from);
    ASSERT_NE(at, std::string::npos);
    tokenizer.replace(at, from.size(), to);
  };
  swap("\"Ġthe\":", "\"Ġtheee\":");
  swap("\"Ġand\":", "\"Ġthe\":");
  swap("\"Ġtheee\":", "\"Ġand\":");
  fs::remove(other / "tokenizer.json");
  write_file(other / "tokenizer.json", tokenizer);
}

TEST(Compare, RefusesModelsThatReadTheTextDifferently) {
  const TempDir other;
  swap_two_words(other);
  try {
    compare_models(kDemoModel, other.path(), kProse, {.protocol = "gptq-64", .windows = 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("differently"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("--tokenizer base"), std::string::npos);
  }
}

TEST(Compare, ReadsTheTextForBothAsTheBaseDoesWhenAsked) {
  const TempDir other;
  swap_two_words(other);
  const auto result = compare_models(kDemoModel, other.path(), kProse,
                                     {.protocol = "gptq-64", .windows = 1, .base_tokenizer = true});
  EXPECT_EQ(result.mean_kl, 0);  // the weights are the same
}

}  // namespace
}  // namespace nibble
