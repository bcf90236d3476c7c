#include "train/lora_layers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/golden_model.h"

namespace nibble {
namespace {

TEST(LoraLayers, ChangeNothingAtFirstAndStartAsPeftHasThem) {
  const ModelSource source(test::kGoldenModels / "llama_biases");
  for (const bool magnitude : {false, true}) {
    TrainingModel model(source);
    TrainingBatch batch;
    batch.ids = test::golden_logits("llama_biases").ids;
    batch.lengths = {batch.ids.size()};
    batch.labels.assign(batch.ids.begin() + 1, batch.ids.end());
    batch.labels.push_back(kNoLabel);
    const double before = model.loss(batch, Compute::kFloat32).mean();
    LoraOptions options;
    options.rank = 3;
    options.magnitude = magnitude;
    LoraLayers layers(source, model, options);
    EXPECT_NEAR(model.loss(batch, Compute::kFloat32).mean(), before, 1e-5);
    std::size_t expected = 0;
    for (const auto& [module, added] : layers.adapter().layers) {
      const double bound = 1 / std::sqrt(static_cast<double>(added->a.columns()));
      double largest = 0;
      for (std::size_t i = 0; i < added->a.size(); ++i)
        largest = std::max<double>(largest, std::abs(added->a.data()[i]));
      EXPECT_LE(largest, bound) << module;
      EXPECT_GT(largest, 0.9 * bound) << module;
      expected += added->a.size() + added->b.size() + (magnitude ? added->b.rows() : 0);
    }
    EXPECT_EQ(layers.trained_values(), expected);
    // With B zero only B has a gradient; after a step every one has.
    model.gradient(batch, 1, layers.gradients(), Compute::kFloat32);
    for (const Parameter& p : layers.parameters()) {
      const bool moves = p.name.find("lora_A") == std::string::npos;
      double sum = 0;
      for (const float g : p.gradient) sum += std::abs(g);
      EXPECT_EQ(sum > 0, moves) << p.name;
    }
    adamw_step(layers.parameters(), {}, 1e-2, 1);
    layers.refresh();
    clear_gradients(layers.parameters());
    model.gradient(batch, 1, layers.gradients(), Compute::kFloat32);
    for (const Parameter& p : layers.parameters()) {
      double sum = 0;
      for (const float g : p.gradient) sum += std::abs(g);
      EXPECT_GT(sum, 0) << p.name;
    }
  }
}

TEST(LoraLayers, AreThoseThatWereAskedFor) {
  const ModelSource source(test::kGoldenModels / "llama_groups");
  TrainingModel model(source);
  LoraOptions options;
  options.rank = 2;
  options.targets = {"q_proj", "down_proj"};
  const LoraLayers layers(source, model, options);
  EXPECT_EQ(layers.adapter().layers.size(), 2 * source.hyper().layers);
  EXPECT_TRUE(layers.adapter().layers.contains("model.layers.1.mlp.down_proj"));
}

}  // namespace
}  // namespace nibble
