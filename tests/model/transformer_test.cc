#include "model/transformer.h"

#include <gtest/gtest.h>

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

TEST_F(SmallModel, AdvancesManySequencesAsIfEachWereAlone) {
  std::vector<KvCache> caches;
  for (int i = 0; i < 6; ++i) caches.emplace_back(model.hyper(), 16);
  std::vector<Tensor> steps;
  for (std::size_t position = 0; position < 5; ++position) {
    std::vector<std::int32_t> column;
    for (std::size_t i = 0; i < caches.size(); ++i) column.push_back(ids[i * 5 + position]);
    steps.push_back(model.extend_all(caches, column, Compute::kFloat32));
  }
  for (std::size_t i = 0; i < caches.size(); ++i) {
    const std::vector<std::int32_t> own(ids.begin() + static_cast<std::ptrdiff_t>(i * 5),
                                        ids.begin() + static_cast<std::ptrdiff_t>(i * 5 + 5));
    const Tensor alone = logits_after(model, own, {1, 2, 3, 4, 5});
    for (std::size_t position = 0; position < 5; ++position)
      EXPECT_LE(
          relative_error(steps[position].view().rows_at(i, 1), alone.view().rows_at(position, 1)),
          1e-5);
  }
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
