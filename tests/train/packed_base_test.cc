#include "train/packed_base.h"

#include <gtest/gtest.h>

#include "model/golden_model.h"
#include "support/error_text.h"
#include "train/footprint.h"

namespace nibble {
namespace {

TEST(PackedBase, RoundsEveryLayerOfTheBlocksAndKeepsItsBias) {
  const ModelSource source(test::kGoldenModels / "llama_biases");
  for (const std::string& grid : packed_bases()) {
    TrainingModel model(source);
    pack_base(model, source, grid, Compute::kFloat32, {});
    for (const Block& block : model.blocks())
      for (std::size_t role = 0; role < kRoles; ++role) {
        const Linear& layer = *block.linears[role];
        EXPECT_NE(layer.kind().find(grid), std::string::npos) << layer.kind();
        const Block original = source.block(block.layer);
        const Linear& plain = *original.linears[role];
        Tensor packed(layer.outputs(), layer.inputs()), weight(layer.outputs(), layer.inputs());
        layer.decode(0, packed.view());
        plain.decode(0, weight.view());
        double error = 0, size = 0;
        for (std::size_t i = 0; i < weight.size(); ++i) {
          error += std::pow(double{packed.data()[i]} - double{weight.data()[i]}, 2);
          size += std::pow(double{weight.data()[i]}, 2);
        }
        EXPECT_LT(error / size, grid == "int8" ? 1e-4 : 0.03) << grid;
        EXPECT_GT(error, 0) << grid;
        EXPECT_EQ(layer.bias() == nullptr, plain.bias() == nullptr);
      }
    const std::string again =
        test::error_text([&] { pack_base(model, source, grid, Compute::kFloat32, {}); });
    EXPECT_NE(again.find("packed already"), std::string::npos) << again;
  }
}

TEST(Footprint, CountsWhatIsTrainedAndWhatIsKept) {
  const ModelSource source(test::kGoldenModels / "llama_groups");
  TrainingModel model(source);
  LoraOptions lora;
  lora.rank = 4;
  const LoraLayers layers(source, model, lora);
  const Footprint footprint = training_footprint(source, lora, "", 40, Compute::kFloat32);
  EXPECT_EQ(footprint.trained_values, layers.trained_values());
  EXPECT_EQ(footprint.adapter, 16 * footprint.trained_values);
  EXPECT_EQ(footprint.base, 0u);
  EXPECT_EQ(footprint.inputs, source.hyper().layers * 40 * source.hyper().hidden * 4);
  EXPECT_GT(training_footprint(source, lora, "nf4", 40, Compute::kFloat32).base, 0u);
  EXPECT_GT(training_footprint(source, lora, "", 80, Compute::kFloat32).block, footprint.block);
}

}  // namespace
}  // namespace nibble
