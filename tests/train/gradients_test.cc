// Gradients of whole models against what PyTorch's autograd says
// (scripts/make_golden_gradients.py).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "model/golden_model.h"
#include "nibble/process.h"
#include "train/training_model.h"

namespace nibble {
namespace {

struct Values {
  std::vector<float> storage;
  std::size_t rows = 0, columns = 0;
  Matrix matrix() { return {storage.data(), rows, columns}; }
};

// Room for the gradient of every parameter, by its name in the checkpoint.
class AllGradients {
 public:
  AllGradients(const ModelSource& source, TrainingModel& model) {
    const HyperParams& hyper = source.hyper();
    for (const Block& block : model.blocks()) {
      const std::string base = source.names().layer(block.layer);
      BlockGradients to;
      to.attention_norm = norm(base + "input_layernorm", block.attention_norm);
      const bool output_norms = !block.attention_output_norm.empty();
      to.mlp_norm =
          norm(base + (output_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
               block.mlp_norm);
      to.attention_output_norm =
          norm(base + "post_attention_layernorm", block.attention_output_norm);
      to.mlp_output_norm = norm(base + "post_feedforward_layernorm", block.mlp_output_norm);
      to.query_norm = norm(base + "self_attn.q_norm", block.query_norm);
      to.key_norm = norm(base + "self_attn.k_norm", block.key_norm);
      for (std::size_t role = 0; role < kRoles; ++role) {
        const Linear& linear = *block.linears[role];
        const std::string name = source.module_path(block.layer, static_cast<Role>(role));
        const Matrix weight = room(name + ".weight", linear.outputs(), linear.inputs());
        std::span<float> bias;
        if (linear.bias() != nullptr) bias = room(name + ".bias", 1, linear.outputs()).row_span(0);
        layers_.push_back(std::make_unique<WeightGradient>(weight, bias));
        to.layers[role] = layers_.back().get();
      }
      gradients.blocks.push_back(to);
    }
    gradients.final_norm =
        room(source.names().final_norm() + ".weight", 1, hyper.hidden).row_span(0);
    gradients.embedding =
        room(source.names().embedding() + ".weight", hyper.vocabulary, hyper.hidden);
    gradients.head = hyper.tied_head
                         ? gradients.embedding
                         : room(source.names().head() + ".weight", hyper.vocabulary, hyper.hidden);
  }

  ModelGradients gradients;
  std::map<std::string, Values> values;

 private:
  Matrix room(const std::string& name, std::size_t rows, std::size_t columns) {
    Values& made = values[name];
    made = {std::vector<float>(rows * columns), rows, columns};
    return made.matrix();
  }
  std::span<float> norm(const std::string& name, const std::vector<float>& gain) {
    if (gain.empty()) return {};
    return room(name + ".weight", 1, gain.size()).row_span(0);
  }
  std::vector<std::unique_ptr<LayerGradient>> layers_;
};

Json golden() {
  return read_json(std::filesystem::path(kSourceFolder) / "tests/golden/train/gradients.json");
}

TrainingBatch batch_of(const std::string& name, const Json& lengths) {
  TrainingBatch batch;
  batch.ids = test::golden_logits(name).ids;
  batch.lengths = lengths.get<std::vector<std::size_t>>();
  std::size_t at = 0;
  for (const std::size_t length : batch.lengths) {
    for (std::size_t i = 0; i + 1 < length; ++i) batch.labels.push_back(batch.ids[at + i + 1]);
    batch.labels.push_back(kNoLabel);
    at += length;
  }
  return batch;
}

class ModelGradient : public testing::TestWithParam<std::string> {};

TEST_P(ModelGradient, IsThatOfAutograd) {
  const Json expected = golden();
  const Json& own = expected["models"][GetParam()];
  const ModelSource source(test::kGoldenModels / GetParam());
  TrainingModel model(source);
  AllGradients all(source, model);
  const TrainingBatch batch = batch_of(GetParam(), expected["lengths"]);
  const float scale = 1.0f / static_cast<float>(batch.ids.size() - batch.lengths.size());
  const Loss loss = model.gradient(batch, scale, all.gradients, Compute::kFloat32);
  EXPECT_NEAR(loss.mean(), own["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(model.loss(batch, Compute::kFloat32).mean(), loss.mean(), 1e-6);
  ASSERT_EQ(all.values.size(), own["tensors"].size());
  for (const auto& [name, tensor] : own["tensors"].items()) {
    ASSERT_TRUE(all.values.contains(name)) << name;
    const std::vector<float>& found = all.values[name].storage;
    double squares = 0;
    std::array<double, 4> sums{};
    for (std::size_t i = 0; i < found.size(); ++i) {
      squares += double{found[i]} * double{found[i]};
      for (std::size_t k = 0; k < sums.size(); ++k)
        sums[k] += found[i] * std::cos(static_cast<double>((k + 1) * (i + 1)));
    }
    const double norm = tensor["norm"].get<double>();
    EXPECT_NEAR(std::sqrt(squares), norm, 1e-4 * norm) << name;
    for (std::size_t k = 0; k < sums.size(); ++k)
      EXPECT_NEAR(sums[k], tensor["sums"][k].get<double>(), 1e-4 * norm) << name << ", sum " << k;
  }
}

TEST_P(ModelGradient, IsTheSameForAnyNumberOfThreads) {
  const Json lengths = golden()["lengths"];
  const ModelSource source(test::kGoldenModels / GetParam());
  TrainingModel model(source);
  const TrainingBatch batch = batch_of(GetParam(), lengths);
  AllGradients one(source, model), two(source, model);
  set_threads(1);
  model.gradient(batch, 1, one.gradients, Compute::kFloat32);
  set_threads(2);
  model.gradient(batch, 1, two.gradients, Compute::kFloat32);
  set_threads(0);
  for (const auto& [name, values] : one.values)
    EXPECT_EQ(std::memcmp(values.storage.data(), two.values[name].storage.data(),
                          values.storage.size() * sizeof(float)),
              0)
        << name;
}

INSTANTIATE_TEST_SUITE_P(Models, ModelGradient, testing::ValuesIn(test::golden_model_names()),
                         [](const auto& model) { return model.param; });

TEST(ModelGradientScope, LeavesFrozenPartsAloneAndStopsWhereNothingBelowIsTrained) {
  const ModelSource source(test::kGoldenModels / "llama_groups");
  TrainingModel model(source);
  const TrainingBatch batch = batch_of("llama_groups", golden()["lengths"]);
  AllGradients all(source, model), some(source, model);
  model.gradient(batch, 1, all.gradients, Compute::kFloat32);
  ModelGradients last = some.gradients;
  last.embedding = last.head = {};
  last.final_norm = {};
  last.blocks.front() = {};
  model.gradient(batch, 1, last, Compute::kFloat32);
  for (const auto& [name, values] : some.values) {
    const bool trained = name.find(".layers.1.") != name.npos;
    for (std::size_t i = 0; i < values.storage.size(); ++i)
      ASSERT_EQ(values.storage[i], trained ? all.values[name].storage[i] : 0) << name;
  }
}

}  // namespace
}  // namespace nibble
