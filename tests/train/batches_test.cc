#include "train/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace nibble {
namespace {

std::vector<Sample> samples_of(const std::vector<std::size_t>& lengths) {
  std::vector<Sample> samples;
  for (const std::size_t length : lengths) {
    Sample sample;
    for (std::size_t i = 0; i < length; ++i) {
      sample.ids.push_back(static_cast<std::int32_t>(10 * samples.size() + i));
      sample.learnt.push_back(i == 0 ? 0 : 1);
    }
    samples.push_back(sample);
  }
  return samples;
}

TEST(Batches, HoldEachSampleOnceInAnEpochAndNoMoreThanFits) {
  const auto samples = samples_of({5, 9, 3, 8, 2, 7, 4, 6, 1, 9});
  const auto packs = pack_epochs(samples, 10, 3, 7);
  std::vector<std::size_t> seen;
  for (const Pack& pack : packs) {
    std::size_t tokens = 0;
    for (const std::size_t s : pack) tokens += samples[s].ids.size();
    EXPECT_LE(tokens, 10u);
    seen.insert(seen.end(), pack.begin(), pack.end());
  }
  ASSERT_EQ(seen.size(), 30u);
  std::set<std::vector<std::size_t>> orders;
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::size_t> one(seen.begin() + static_cast<std::ptrdiff_t>(10 * epoch),
                                 seen.begin() + static_cast<std::ptrdiff_t>(10 * (epoch + 1)));
    orders.insert(one);
    std::sort(one.begin(), one.end());
    for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(one[i], i);
  }
  EXPECT_EQ(orders.size(), 3u);
  EXPECT_EQ(pack_epochs(samples, 10, 3, 7), packs);
  EXPECT_NE(pack_epochs(samples, 10, 3, 8), packs);
}

TEST(Batches, PredictEachTokenFromThoseBeforeItInItsOwnSample) {
  auto samples = samples_of({3, 2});
  samples[0].learnt = {0, 0, 1};
  const TrainingBatch batch = batch_of(samples, {1, 0});
  EXPECT_EQ(batch.ids, (std::vector<std::int32_t>{10, 11, 0, 1, 2}));
  EXPECT_EQ(batch.labels, (std::vector<std::int32_t>{11, kNoLabel, kNoLabel, 2, kNoLabel}));
  EXPECT_EQ(batch.lengths, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(trained_tokens(samples, {1, 0}), 2u);
}

}  // namespace
}  // namespace nibble
