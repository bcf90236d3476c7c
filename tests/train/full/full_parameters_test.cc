#include "train/full/full_parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "model/golden_model.h"
#include "nibble/process.h"
#include "nibble/quantize.h"
#include "quantize/verify.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

TrainingBatch batch_of(const std::string& model, const std::vector<std::size_t>& lengths) {
  TrainingBatch batch;
  batch.ids = test::golden_logits(model).ids;
  batch.lengths = lengths;
  std::size_t at = 0;
  for (const std::size_t length : lengths) {
    for (std::size_t i = 0; i + 1 < length; ++i) batch.labels.push_back(batch.ids[at + i + 1]);
    batch.labels.push_back(kNoLabel);
    at += length;
  }
  return batch;
}

class FullParametersOf : public testing::TestWithParam<std::string> {};

// Names, values and gradients against PyTorch (scripts/make_golden_gradients.py).
TEST_P(FullParametersOf, AreAllThereWithTheGradientsOfAutograd) {
  const Json golden = read_json(fs::path(kSourceFolder) / "tests/golden/train/gradients.json");
  const Json& own = golden["models"][GetParam()];
  const ModelSource source(test::kGoldenModels / GetParam());
  TrainingModel model(source);
  const TrainingBatch batch =
      batch_of(GetParam(), golden["lengths"].get<std::vector<std::size_t>>());
  FullParameters trained(source, model);
  const float scale = 1.0f / static_cast<float>(batch.ids.size() - batch.lengths.size());
  const Loss loss = model.gradient(batch, scale, trained.gradients(), Compute::kFloat32);
  EXPECT_NEAR(loss.mean(), own["loss"].get<double>(), 1e-5);
  ASSERT_EQ(trained.parameters().size(), own["tensors"].size());
  std::size_t total = 0;
  for (std::size_t i = 0; i < trained.parameters().size(); ++i) {
    const Parameter& parameter = trained.parameters()[i];
    ASSERT_TRUE(own["tensors"].contains(parameter.name)) << parameter.name;
    const Json& tensor = own["tensors"][parameter.name];
    double squares = 0;
    std::array<double, 4> sums{};
    for (std::size_t at = 0; at < parameter.gradient.size(); ++at) {
      const double value = parameter.gradient[at];
      squares += value * value;
      for (std::size_t k = 0; k < sums.size(); ++k)
        sums[k] += value * std::cos(static_cast<double>((k + 1) * (at + 1)));
    }
    const double norm = tensor["norm"].get<double>();
    EXPECT_NEAR(std::sqrt(squares), norm, 1e-4 * norm) << parameter.name;
    for (std::size_t k = 0; k < sums.size(); ++k)
      EXPECT_NEAR(sums[k], tensor["sums"][k].get<double>(), 1e-4 * norm) << parameter.name;
    EXPECT_EQ(parameter.decays, trained.shape(i).size() == 2) << parameter.name;
    EXPECT_EQ(source.checkpoint().at(parameter.name).shape, trained.shape(i)) << parameter.name;
    total += parameter.values.size();
  }
  EXPECT_EQ(trained.trained_values(), total);
}

// Nothing learnt: the weights of the source come out.
TEST_P(FullParametersOf, AreWrittenAsTheyWere) {
  const test::TempDir folder;
  const ModelSource source(test::kGoldenModels / GetParam());
  TrainingModel model(source);
  const FullParameters trained(source, model);
  write_trained_folder(folder / "out", source, trained, Json::object(), {.dtype = DType::kF32});
  const ModelSource written(folder / "out");
  for (const TensorInfo& info : source.checkpoint().tensors()) {
    if (source.hyper().tied_head && info.name.starts_with(source.names().head())) continue;
    const TensorInfo& now = written.checkpoint().at(info.name);
    EXPECT_EQ(now.shape, info.shape);
    if (info.dtype != DType::kF32) continue;
    const auto before = source.checkpoint().bytes(info), after = written.checkpoint().bytes(now);
    const std::size_t count = before.size() / sizeof(float);
    std::vector<float> a(count), b(count);
    std::memcpy(a.data(), before.data(), before.size());
    std::memcpy(b.data(), after.data(), after.size());
    for (std::size_t i = 0; i < count; ++i) ASSERT_NEAR(a[i], b[i], 1e-7) << info.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, FullParametersOf, testing::ValuesIn(test::golden_model_names()),
                         [](const auto& model) { return model.param; });

void learn(TrainingModel& model, FullParameters& trained, const TrainingBatch& batch,
           std::size_t steps) {
  const auto count =
      std::count_if(batch.labels.begin(), batch.labels.end(), [](auto l) { return l != kNoLabel; });
  for (std::size_t step = 1; step <= steps; ++step) {
    clear_gradients(trained.parameters());
    model.gradient(batch, 1.0f / static_cast<float>(count), trained.gradients(), Compute::kFloat32);
    adamw_step(trained.parameters(), {.weight_decay = 0.01}, 1e-2, step);
  }
}

TEST(FullParameters, LearnABatchByHeartAndAreWritten) {
  const test::TempDir folder;
  for (const char* name : {"llama_biases", "llama_scaled_tied", "gemma3_types"}) {
    const ModelSource source(test::kGoldenModels / name);
    TrainingModel model(source);
    FullParameters trained(source, model);
    const TrainingBatch batch = batch_of(name, {20, 20});
    learn(model, trained, batch, 80);
    const double loss = model.loss(batch, Compute::kFloat32).mean();
    EXPECT_LT(loss, 0.01) << name;

    const fs::path out = folder / name;
    write_trained_folder(out, source, trained, Json::object(), {.dtype = DType::kF32});
    const ModelSource written(out);
    EXPECT_NEAR(TrainingModel(written).loss(batch, Compute::kFloat32).mean(), loss, 1e-6) << name;
    const fs::path small = folder / cat(name, "-small");
    write_trained_folder(small, source, trained, Json::object(), {.dtype = DType::kBF16});
    const ModelSource rounded(small);
    EXPECT_EQ(rounded.norm_tensor(0, Norm::kMlp).dtype, DType::kBF16);
    EXPECT_LT(TrainingModel(rounded).loss(batch, Compute::kFloat32).mean(), 0.05) << name;
  }
}

TEST(FullParameters, OfAPackedModelAreWhatItsCodesStandFor) {
  const test::TempDir folder;
  QuantizeJob job;
  job.method = "rtn";
  TrainingBatch batch;
  for (std::int32_t i = 0; i < 20; ++i) batch.ids.push_back(i * 97);
  batch.labels.assign(batch.ids.begin() + 1, batch.ids.end());
  batch.labels.push_back(kNoLabel);
  batch.lengths = {20};
  for (const char* name : {"packed", "packed.gguf"}) {
    quantize(fs::path(kSourceFolder) / "assets/demo", folder / name, job);
    const ModelSource source(folder / name);
    const double loss = TrainingModel(source).loss(batch, Compute::kFloat32).mean();
    TrainingModel model(source);
    const FullParameters trained(source, model);
    EXPECT_NEAR(model.loss(batch, Compute::kFloat32).mean(), loss, 1e-5);
    const fs::path out = folder / cat(name, "-out");
    const Json passport = {{"schema", "nibble.passport/1"}, {"version", NIBBLE_VERSION},
                           {"base", Json::object()},        {"tokenizer", Json::object()},
                           {"calibration", nullptr},        {"recipe", Json::object()},
                           {"modules", Json::array()}};
    write_trained_folder(out, source, trained, passport, {.dtype = DType::kF32});
    EXPECT_NEAR(TrainingModel(ModelSource(out)).loss(batch, Compute::kFloat32).mean(), loss, 1e-5);
    EXPECT_TRUE(verify_checkpoint(out, {}).passed());
  }
}

TEST(FullParameters, ATiedMatrixIsOneParameter) {
  const ModelSource source(test::kGoldenModels / "llama_scaled_tied");
  ASSERT_TRUE(source.hyper().tied_head);
  TrainingModel model(source);
  FullParameters trained(source, model);
  EXPECT_EQ(trained.gradients().embedding.values, trained.gradients().head.values);
  trained.parameters().front().values.front() = 17;
  Tensor row(1, source.hyper().hidden);
  model.embedding()->decode(0, row.view());
  EXPECT_EQ(row.data()[0], 17);
  model.head()->decode(0, row.view());
  EXPECT_EQ(row.data()[0], 17);
}

TEST(FullParameters, AreTheSameForAnyNumberOfThreads) {
  const ModelSource source(test::kGoldenModels / "llama_groups");
  const TrainingBatch batch = batch_of("llama_groups", {15, 25});
  std::vector<float> first;
  for (const int threads : {1, 2}) {
    set_threads(threads);
    TrainingModel model(source);
    FullParameters trained(source, model);
    learn(model, trained, batch, 3);
    std::vector<float> all;
    for (const Parameter& p : trained.parameters())
      all.insert(all.end(), p.values.begin(), p.values.end());
    if (first.empty()) first = all;
    EXPECT_EQ(std::memcmp(all.data(), first.data(), all.size() * sizeof(float)), 0);
  }
  set_threads(0);
}

TEST(FullParameters, RefuseAnAdapterAndAValueThatATypeCannotHold) {
  const fs::path adapter = fs::path(kSourceFolder) / "tests/golden/adapter/plain";
  const ModelSource adapted(test::kGoldenModels / "llama_groups", adapter);
  TrainingModel with(adapted);
  EXPECT_NE(test::error_text([&] { FullParameters(adapted, with); }).find("fuse"),
            std::string::npos);

  const test::TempDir folder;
  const ModelSource source(test::kGoldenModels / "llama_groups");
  TrainingModel model(source);
  FullParameters trained(source, model);
  trained.parameters()[3].values[1] = 1e5f;
  const auto write = [&](DType dtype) {
    return test::error_text([&] {
      write_trained_folder(folder / "out", source, trained, Json::object(), {.dtype = dtype});
    });
  };
  EXPECT_NE(write(DType::kF16).find("100000"), std::string::npos);
  EXPECT_NE(write(DType::kI8).find("BF16"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "out"));
}

}  // namespace
}  // namespace nibble
