// Every transform on a block of the demo model: the block computes what it computed, and what was
// changed is told.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/files.h"
#include "base/random.h"
#include "quantize/apply_transforms.h"
#include "support/paths.h"

namespace nibble {
namespace {

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";
constexpr std::size_t kWindows = 2, kLength = 24;

// Hidden states whose columns differ in size, as those of real models do.
Tensor hidden_states(std::size_t rows, std::size_t columns) {
  Random random(5);
  Tensor hidden(rows, columns);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      hidden.view()(r, c) = static_cast<float>(random.normal() * std::exp(2 * std::sin(c)));
  return hidden;
}

Tensor forward(const Block& block, ConstMatrix input) {
  Tensor hidden(input.rows, input.columns);
  std::copy_n(input.values, hidden.size(), hidden.data());
  std::vector<Sequence> sequences;
  for (std::size_t row = 0; row < input.rows; row += kLength)
    sequences.push_back({row, kLength, 0, nullptr});
  block.forward(hidden.view(), sequences, RopeTables(*block.hyper, sequences), Compute::kFloat32);
  return hidden;
}

double relative_difference(const Tensor& a, const Tensor& b) {
  double lost = 0, all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    lost += std::pow(static_cast<double>(a.data()[i]) - b.data()[i], 2);
    all += std::pow(static_cast<double>(a.data()[i]), 2);
  }
  return std::sqrt(lost / all);
}

struct Trial {
  double difference = 0;
  Transformed transformed;
};

Trial apply(const Transform& transform, std::vector<std::string> skip) {
  const ModelSource source(kDemo);
  QuantizeOptions options;
  options.grid = "int3";
  options.transforms = {std::string(transform.name)};
  options.skip = std::move(skip);
  const Recipe recipe = make_recipe(source, options);
  const Tensor input = hidden_states(kWindows * kLength, source.hyper().hidden);
  Samples samples;
  samples.count = kWindows;
  samples.length = kLength;
  samples.quantized.hidden = std::make_unique<ActivationStore>(
      kWindows * kLength, source.hyper().hidden, Compute::kFloat32, fs::path());
  samples.quantized.hidden->put(0, input.view());
  Block block = source.block(1);
  const Tensor before = forward(block, input.view());
  Trial trial;
  trial.transformed = apply_transforms(source, block, recipe, Compute::kFloat32, &samples);
  trial.difference = relative_difference(before, forward(block, input.view()));
  return trial;
}

class EveryTransform : public testing::TestWithParam<const Transform*> {};

TEST_P(EveryTransform, LeavesTheBlocksFunctionAsItWas) {
  const Trial trial = apply(*GetParam(), {});
  // Norms are rounded to their stored type first and factors follow them: what is left is
  // float32's.
  EXPECT_LT(trial.difference, 1e-5);
}

TEST_P(EveryTransform, TellsWhichTensorsAreNoLongerTheSources) {
  const ModelSource source(kDemo);
  for (const FloatBlock::Change& change : apply(*GetParam(), {}).transformed.changes) {
    const TensorInfo& original = source.checkpoint().at(change.info.name);
    EXPECT_EQ(change.bytes.size(), original.bytes);
    const auto bytes = source.checkpoint().bytes(original);
    EXPECT_FALSE(std::equal(bytes.begin(), bytes.end(), change.bytes.begin())) << change.info.name;
  }
}

TEST_P(EveryTransform, ChangesSkippedLayersOfAStageWithTheOthers) {
  const Trial trial = apply(*GetParam(), {"q_proj"});
  // The skipped layer is stored in the source's own type: bfloat16 keeps 8 bits.
  EXPECT_LT(trial.difference, 5e-3);
  bool norm = false, query = false;
  for (const FloatBlock::Change& change : trial.transformed.changes) {
    norm |= change.info.name == "model.layers.1.input_layernorm.weight";
    query |= change.info.name == "model.layers.1.self_attn.q_proj.weight";
    EXPECT_EQ(change.info.name.find("k_proj"), std::string::npos) << "quantized, not stored so";
  }
  EXPECT_EQ(norm, query) << "one side of a folded scale without the other";
}

INSTANTIATE_TEST_SUITE_P(Transforms, EveryTransform,
                         testing::ValuesIn(transforms::all().begin(), transforms::all().end()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(Awq, ScalesColumnsWhoseInputsAreLarge) {
  const Trial trial = apply(transforms::named("awq"), {});
  EXPECT_FALSE(trial.transformed.notes.empty());
  EXPECT_FALSE(trial.transformed.changes.empty());
}

}  // namespace
}  // namespace nibble
