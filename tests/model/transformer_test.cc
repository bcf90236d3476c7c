#include "model/transformer.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>
#include <utility>

#include "base/parallel.h"
#include "model/golden_model.h"
#include "nibble/error.h"
#include "support/error_text.h"

namespace nibble {
namespace {

using test::golden_logits;
using test::GoldenLogits;
using test::kGoldenModels;
using test::relative_error;

// Both sides compute in float32 and differ by the order of their sums.
constexpr double kFloatTolerance = 1e-4;
// Inputs of products keep 8 bits: 2^-9 each, and errors add up over two layers.
constexpr double kBfloat16Tolerance = 8e-2;

Tensor all_logits(const Transformer& model, const std::vector<std::int32_t>& ids,
                  std::size_t length, Compute compute) {
  Tensor hidden(ids.size(), model.hyper().hidden);
  model.hidden_states(ids, length, hidden.view(), compute);
  Tensor logits(ids.size(), model.hyper().vocabulary);
  model.logits(hidden.view(), logits.view(), compute);
  return logits;
}

// Logits after each part of the ids, one row for each part.
Tensor logits_after(const Transformer& model, const std::vector<std::int32_t>& ids,
                    const std::vector<std::size_t>& ends) {
  KvCache cache(model.hyper(), ids.size());
  Tensor rows(ends.size(), model.hyper().vocabulary);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const std::size_t begin = cache.length();
    const auto row =
        model.extend(cache, std::span(ids).subspan(begin, ends[i] - begin), Compute::kFloat32);
    std::copy(row.begin(), row.end(), rows.view().row(i));
  }
  return rows;
}

class GoldenModel : public testing::TestWithParam<std::string> {
 protected:
  GoldenModel()
      : source(kGoldenModels / GetParam()), model(source), golden(golden_logits(GetParam())) {}
  ModelSource source;
  Transformer model;
  GoldenLogits golden;
};

TEST_P(GoldenModel, GivesTheLogitsOfTransformers) {
  const Tensor logits = all_logits(model, golden.ids, golden.ids.size(), Compute::kFloat32);
  EXPECT_LE(relative_error(logits.view(), golden.logits.view()), kFloatTolerance);
}

TEST_P(GoldenModel, GivesThemTokenByToken) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 1; i <= golden.ids.size(); ++i) ends.push_back(i);
  const Tensor logits = logits_after(model, golden.ids, ends);
  EXPECT_LE(relative_error(logits.view(), golden.logits.view()), kFloatTolerance);
}

TEST_P(GoldenModel, GivesThemInPiecesOfAnyLength) {
  const std::vector<std::size_t> ends = {7, 8, 27, 40};
  const Tensor logits = logits_after(model, golden.ids, ends);
  for (std::size_t i = 0; i < ends.size(); ++i)
    EXPECT_LE(
        relative_error(logits.view().rows_at(i, 1), golden.logits.view().rows_at(ends[i] - 1, 1)),
        kFloatTolerance)
        << "after " << ends[i] << " tokens";
}

TEST_P(GoldenModel, GivesNearlyThemInBfloat16) {
  const Tensor logits = all_logits(model, golden.ids, golden.ids.size(), Compute::kBfloat16);
  EXPECT_LE(relative_error(logits.view(), golden.logits.view()), kBfloat16Tolerance);
}

TEST_P(GoldenModel, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const Compute compute : {Compute::kFloat32, Compute::kBfloat16}) {
    set_threads(1);
    const Tensor one = all_logits(model, golden.ids, golden.ids.size(), compute);
    set_threads(3);
    const Tensor three = all_logits(model, golden.ids, golden.ids.size(), compute);
    set_threads(0);
    EXPECT_EQ(std::memcmp(one.data(), three.data(), one.size() * sizeof(float)), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(, GoldenModel, testing::ValuesIn(test::golden_model_names()),
                         [](const auto& test) { return test.param; });

// One model for what does not depend on the architecture.
class SmallModel : public testing::Test {
 protected:
  SmallModel()
      : source(kGoldenModels / "mistral_window"),
        model(source),
        ids(golden_logits("mistral_window").ids) {}
  ModelSource source;
  Transformer model;
  std::vector<std::int32_t> ids;
};

TEST_F(SmallModel, WindowsDoNotSeeEachOther) {
  const Tensor together = all_logits(model, ids, 10, Compute::kFloat32);
  for (std::size_t first = 0; first < ids.size(); first += 10) {
    const std::vector<std::int32_t> window(ids.begin() + static_cast<std::ptrdiff_t>(first),
                                           ids.begin() + static_cast<std::ptrdiff_t>(first + 10));
    const Tensor alone = all_logits(model, window, 10, Compute::kFloat32);
    EXPECT_LE(relative_error(together.view().rows_at(first, 10), alone.view()), 1e-6);
  }
}

TEST_F(SmallModel, LongTextsGoThroughInChunks) {
  std::vector<std::int32_t> text;
  for (std::size_t i = 0; i < 1200; ++i) text.push_back(ids[i % ids.size()]);
  const Tensor whole = all_logits(model, text, text.size(), Compute::kFloat32);
  const Tensor last = logits_after(model, text, {text.size()});  // chunks of 512
  EXPECT_LE(relative_error(last.view(), whole.view().rows_at(text.size() - 1, 1)), 1e-5);
}

// A text of so many ids, another one for each seed.
std::vector<std::int32_t> text_of(const std::vector<std::int32_t>& ids, std::size_t length,
                                  std::size_t seed) {
  std::vector<std::int32_t> text;
  for (std::size_t i = 0; i < length; ++i)
    text.push_back(ids[(i * (seed + 1) + seed) % ids.size()]);
  return text;
}

// A sequence of a batch, and the same alone.
struct Pair {
  std::vector<std::int32_t> past, ids, next;
  KvCache together, alone;
  Pair(const Transformer& model, const std::vector<std::int32_t>& from, std::size_t before,
       std::size_t length, std::size_t seed, Compute compute)
      : past(text_of(from, before, seed)),
        ids(text_of(from, length, seed + 5)),
        next(text_of(from, 1, seed + 9)),
        together(model.hyper(), before + length + 1, kv_type_for(compute)),
        alone(model.hyper(), before + length + 1, kv_type_for(compute)) {
    for (KvCache* cache : {&together, &alone})
      if (before > 0) model.extend(*cache, past, compute);
  }
};

// Runs sequences of (past, length) as one batch, then one more id of each as a batch, and calls
// check(found, alone) with the logits of each sequence after both.
template <typename Check>
void compare_batch(const Transformer& model, const std::vector<std::int32_t>& ids,
                   const std::vector<std::pair<std::size_t, std::size_t>>& shapes, Compute compute,
                   const Check& check) {
  std::deque<Pair> pairs;
  for (const auto& [before, length] : shapes)
    pairs.emplace_back(model, ids, before, length, pairs.size(), compute);
  for (const auto member : {&Pair::ids, &Pair::next}) {
    std::vector<Continuation> batch;
    for (Pair& pair : pairs) batch.push_back({&pair.together, pair.*member});
    const Tensor found = model.extend(batch, compute);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(pairs[i].together.length(), pairs[i].alone.length() + (pairs[i].*member).size());
      const auto alone = model.extend(pairs[i].alone, pairs[i].*member, compute);
      check(found.view().rows_at(i, 1), ConstMatrix(alone.data(), 1, alone.size()));
    }
  }
}

TEST_F(SmallModel, ABatchOfPromptsAndSingleTokensGivesEachSequenceWhatItGetsAlone) {
  compare_batch(
      model, ids, {{3, 1}, {0, 17}, {9, 1}, {0, 600}, {30, 2}, {0, 1}, {7, 540}}, Compute::kFloat32,
      [](ConstMatrix found, ConstMatrix alone) { EXPECT_LE(relative_error(found, alone), 1e-5); });
}

// The order of sums may differ where rows go through together; with inputs rounded to 8 bits in
// between a difference in the last bit may become one of a step.
TEST_F(SmallModel, ABatchInBfloat16GivesNearlyWhatEachSequenceGetsAlone) {
  compare_batch(model, ids, {{3, 1}, {0, 17}, {9, 1}, {30, 2}, {0, 90}}, Compute::kBfloat16,
                [](ConstMatrix found, ConstMatrix alone) {
                  EXPECT_LE(relative_error(found, alone), kBfloat16Tolerance);
                });
}

TEST_F(SmallModel, ABatchOfAtMostFourTokensGivesEachSequenceTheBitsItGetsAlone) {
  for (const Compute compute : {Compute::kFloat32, Compute::kBfloat16, Compute::kInt8})
    for (const auto& shapes : std::vector<std::vector<std::pair<std::size_t, std::size_t>>>{
             {{3, 1}, {30, 1}, {1, 1}, {11, 1}}, {{2, 1}, {0, 3}}, {{0, 2}, {5, 2}}})
      compare_batch(model, ids, shapes, compute, [](ConstMatrix found, ConstMatrix alone) {
        EXPECT_EQ(std::memcmp(found.values, alone.values, found.columns * sizeof(float)), 0);
      });
}

TEST_F(SmallModel, ABatchOfNothingIsNoLogits) {
  EXPECT_EQ(model.extend(Batch(), Compute::kFloat32).rows(), 0u);
}

TEST_F(SmallModel, ABatchIsRefusedAsAWholeBeforeAnyCacheHasChanged) {
  KvCache first(model.hyper(), 8), second(model.hyper(), 2);
  const std::vector<std::int32_t> good = {1, 2, 3}, bad = {1, 80};
  for (const std::vector<Continuation>& batch :
       {std::vector<Continuation>{{&first, good}, {&second, good}},    // more than it holds
        std::vector<Continuation>{{&first, good}, {&second, bad}},     // no such id
        std::vector<Continuation>{{&first, good}, {&second, {}}},      // nothing to continue with
        std::vector<Continuation>{{&first, good}, {&first, good}}}) {  // one cache twice
    EXPECT_EQ(test::error_kind([&] { model.extend(batch, Compute::kFloat32); }),
              ErrorKind::kInvalidArgument);
    EXPECT_EQ(first.length(), 0u);
    EXPECT_EQ(second.length(), 0u);
  }
}

TEST_F(SmallModel, ThreadsMayExtendCachesOfTheirOwnAtTheSameTime) {
  const auto expected = logits_after(model, ids, {20, 40});
  set_threads(3);
  std::vector<Tensor> found(3);
  std::vector<std::thread> callers;
  for (Tensor& logits : found)
    callers.emplace_back([&] { logits = logits_after(model, ids, {20, 40}); });
  for (std::thread& caller : callers) caller.join();
  set_threads(0);
  for (const Tensor& logits : found)
    EXPECT_EQ(std::memcmp(logits.data(), expected.data(), expected.size() * sizeof(float)), 0);
}

TEST_F(SmallModel, ATruncatedCacheContinuesFromThere) {
  KvCache cache(model.hyper(), 40);
  model.extend(cache, ids, Compute::kFloat32);
  cache.truncate(20);
  const auto again = model.extend(cache, std::span(ids).subspan(20), Compute::kFloat32);
  const Tensor expected = logits_after(model, ids, {20, 40});
  EXPECT_LE(
      relative_error(ConstMatrix(again.data(), 1, again.size()), expected.view().rows_at(1, 1)),
      1e-6);
}

TEST_F(SmallModel, RefusesIdsOutsideTheVocabularyBeforeTouchingTheCache) {
  KvCache cache(model.hyper(), 8);
  for (const std::int32_t bad : {-1, 80, INT32_MAX}) {
    const std::vector<std::int32_t> text = {1, bad};
    EXPECT_NE(test::error_text([&] {
                model.extend(cache, text, Compute::kFloat32);
              }).find("outside the vocabulary of 80"),
              std::string::npos);
  }
  EXPECT_EQ(cache.length(), 0u);
}

TEST_F(SmallModel, RefusesMoreTokensThanTheCacheHolds) {
  KvCache cache(model.hyper(), 8);
  EXPECT_EQ(test::error_kind([&] { model.extend(cache, ids, Compute::kFloat32); }),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(test::error_kind([&] { model.extend(cache, {}, Compute::kFloat32); }),
            ErrorKind::kInvalidArgument);
}

TEST_F(SmallModel, RefusesTokensThatFillNoWholeWindow) {
  Tensor hidden(ids.size(), model.hyper().hidden);
  for (const std::size_t length : {std::size_t{0}, std::size_t{7}})
    EXPECT_EQ(test::error_kind(
                  [&] { model.hidden_states(ids, length, hidden.view(), Compute::kFloat32); }),
              ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace nibble
