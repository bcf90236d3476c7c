// Which logits are handed out with which targets, however windows and pieces are cut.
#include "evaluate/score_windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "evaluate/demo_model.h"
#include "support/error_text.h"

namespace nibble {
namespace {

class ScoreWindows : public testing::Test {
 protected:
  ScoreWindows() : source_(test::kDemoModel), model_(source_) {}

  // The targets in the order they come, and the logit that each target had.
  struct Seen {
    std::vector<std::int32_t> targets;
    std::vector<float> logits;
    std::vector<double> progress;
  };
  Seen scored(const ScoredText& text) const {
    Seen seen;
    const std::vector<ScoredModel> models = {{&model_, Compute::kFloat32}};
    score_windows(
        models, text, [&](double done, double) { seen.progress.push_back(done); },
        [&](std::span<const ConstMatrix> logits, std::span<const std::int32_t> targets) {
          EXPECT_EQ(logits[0].rows, targets.size());
          for (std::size_t i = 0; i < targets.size(); ++i) {
            seen.targets.push_back(targets[i]);
            seen.logits.push_back(logits[0](i, static_cast<std::size_t>(targets[i])));
          }
        });
    return seen;
  }
  static ScoredText text_of(std::size_t tokens, std::vector<Window> windows) {
    ScoredText text;
    for (std::size_t i = 0; i < tokens; ++i)
      text.ids.push_back(static_cast<std::int32_t>(5 + i * 7 % 200));
    text.windows = std::move(windows);
    return text;
  }

  ModelSource source_;
  Transformer model_;
};

TEST_F(ScoreWindows, HandOutTheScoredTokensInTheOrderOfTheText) {
  const ScoredText text = text_of(20, {{0, 8, 1}, {8, 8, 5}, {16, 4, 2}});
  const std::vector<std::size_t> scored_places = {1, 2, 3, 4, 5, 6, 7, 13, 14, 15, 18, 19};
  std::vector<std::int32_t> expected;
  for (const std::size_t place : scored_places) expected.push_back(text.ids[place]);
  EXPECT_EQ(scored(text).targets, expected);
}

TEST_F(ScoreWindows, PredictEachTokenFromThoseBeforeItInItsWindow) {
  const ScoredText text = text_of(12, {{4, 8, 5}});
  const Seen seen = scored(text);
  ASSERT_EQ(seen.logits.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    KvCache cache(model_.hyper(), 8);
    const auto before = std::span(text.ids).subspan(4, 5 + i);
    const auto logits = model_.extend(cache, before, Compute::kFloat32);
    // The same sums in another order: of a batch, of a sequence.
    EXPECT_NEAR(seen.logits[i], logits[static_cast<std::size_t>(seen.targets[i])],
                1e-4 * std::fabs(seen.logits[i]) + 1e-4);
  }
}

TEST_F(ScoreWindows, DoNotKnowEachOther) {
  const Seen together = scored(text_of(32, {{0, 16, 1}, {16, 16, 1}}));
  const Seen alone = scored(text_of(32, {{16, 16, 1}}));
  const std::vector<float> second(together.logits.begin() + 15, together.logits.end());
  ASSERT_EQ(second.size(), alone.logits.size());
  for (std::size_t i = 0; i < second.size(); ++i)
    EXPECT_NEAR(second[i], alone.logits[i], 1e-4 * std::fabs(second[i]) + 1e-4);
}

TEST_F(ScoreWindows, ReportEveryTokenThatWentThroughTheModel) {
  const ScoredText text = text_of(20, {{0, 8, 1}, {8, 8, 5}, {16, 4, 2}});
  const Seen seen = scored(text);
  EXPECT_EQ(seen.progress.back(), 20);
  EXPECT_TRUE(std::is_sorted(seen.progress.begin(), seen.progress.end()));
}

TEST_F(ScoreWindows, RefuseATokenThatTheModelHasNoRowFor) {
  ScoredText text = text_of(8, {{0, 8, 1}});
  text.ids[3] = static_cast<std::int32_t>(model_.hyper().vocabulary);
  EXPECT_EQ(test::error_kind([&] { scored(text); }), ErrorKind::kInvalidArgument);
  text.ids[3] = -1;
  EXPECT_EQ(test::error_kind([&] { scored(text); }), ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace nibble
