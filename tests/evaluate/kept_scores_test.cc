#include "evaluate/kept_scores.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "evaluate/demo_model.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using test::kDemoModel;
using test::kProse;

struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("stopped") {}
};

// Measures in small windows, keeps everything, and stops after half of them.
class KeptScoresTest : public testing::Test {
 protected:
  KeptScoresTest() {
    std::string text;
    for (int i = 0; i < 5; ++i) text += read_file(kProse, 1 << 20);
    write_file(text_, text);
    options_.protocol = "gptq-64";
    options_.windows = 70;  // more than pass through the model together
    options_.journals = folder_.path() / "measuring";
    options_.journal_after = 0;
    options_.log = [this](std::string_view line) { told_ += std::string(line) + "\n"; };
  }

  MeasureOptions stopping() {
    MeasureOptions options = options_;
    options.progress = [](double done, double total) {
      if (done > 0 && done < total) throw Stopped();
    };
    return options;
  }
  bool told(const std::string& words) const { return told_.find(words) != std::string::npos; }
  std::size_t journals() const {
    if (!fs::exists(options_.journals)) return 0;
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(options_.journals), {}));
  }

  test::TempDir folder_;
  const fs::path text_ = folder_.path() / "long.txt";
  MeasureOptions options_;
  std::string told_;
};

TEST_F(KeptScoresTest, PerplexityGoesOnToTheSameFigures) {
  const auto whole = measure_perplexity(kDemoModel, text_, {.protocol = "gptq-64", .windows = 70});
  EXPECT_THROW(measure_perplexity(kDemoModel, text_, stopping()), Stopped);
  EXPECT_EQ(journals(), 1u);
  EXPECT_FALSE(told("going on"));
  const auto resumed = measure_perplexity(kDemoModel, text_, options_);
  EXPECT_TRUE(told("going on after 32 of 70 windows")) << told_;
  EXPECT_EQ(resumed.mean_nll, whole.mean_nll);
  EXPECT_EQ(resumed.standard_error, whole.standard_error);
  EXPECT_EQ(resumed.window_nll, whole.window_nll);
  EXPECT_EQ(journals(), 0u);
}

TEST_F(KeptScoresTest, ComparisonGoesOnToTheSameFigures) {
  MeasureOptions plain = {.protocol = "gptq-64", .windows = 70};
  plain.compute_other = options_.compute_other = Compute::kBfloat16;
  const auto whole = compare_models(kDemoModel, kDemoModel, text_, plain);
  EXPECT_THROW(compare_models(kDemoModel, kDemoModel, text_, stopping()), Stopped);
  const auto resumed = compare_models(kDemoModel, kDemoModel, text_, options_);
  EXPECT_TRUE(told("going on after 32 of 70 windows")) << told_;
  EXPECT_EQ(resumed.mean_kl, whole.mean_kl);
  EXPECT_EQ(resumed.kl_p99, whole.kl_p99);
  EXPECT_EQ(resumed.top1, whole.top1);
  EXPECT_EQ(resumed.window_nll, whole.window_nll);
}

TEST_F(KeptScoresTest, AnotherMeasurementBeginsAtItsOwnBeginning) {
  EXPECT_THROW(measure_perplexity(kDemoModel, text_, stopping()), Stopped);
  MeasureOptions other = options_;
  other.windows = 69;
  EXPECT_EQ(measure_perplexity(kDemoModel, text_, other).window_nll.size(), 69u);
  EXPECT_FALSE(told("going on")) << told_;
  EXPECT_EQ(journals(), 1u);
}

// A file that was replaced by another of the same size and time.
TEST_F(KeptScoresTest, SumsTellWhereNamesAndTimesDoNot) {
  test::TempDir model;
  test::link_demo_model(model, "rope_theta", 10000.0);
  const fs::path config = model.path() / "config.json";
  const auto time = fs::last_write_time(config);
  EXPECT_THROW(measure_perplexity(model.path(), text_, stopping()), Stopped);
  std::string text = read_file(config, 1 << 20);
  text.replace(text.find("10000"), 5, "20000");
  write_file(config, text);
  fs::last_write_time(config, time);
  measure_perplexity(model.path(), text_, options_);
  EXPECT_TRUE(told("differs in files.")) << told_;
  EXPECT_FALSE(told("going on")) << told_;
}

TEST_F(KeptScoresTest, RestartBeginsAnewAndResumeRefusesTo) {
  MeasureOptions options = options_;
  options.resume = Resume::kRequired;
  EXPECT_THROW(measure_perplexity(kDemoModel, text_, options), Error);
  EXPECT_THROW(measure_perplexity(kDemoModel, text_, stopping()), Stopped);
  options.resume = Resume::kNever;
  measure_perplexity(kDemoModel, text_, options);
  EXPECT_FALSE(told("going on")) << told_;
}

TEST_F(KeptScoresTest, AFolderThatCannotBeMadeCostsOnlyTheJournal) {
  write_file(folder_.path() / "measuring", "in the way");
  EXPECT_EQ(measure_perplexity(kDemoModel, text_, options_).window_nll.size(), 70u);
  EXPECT_TRUE(told("nothing of this measurement is kept")) << told_;
}

}  // namespace
}  // namespace nibble
