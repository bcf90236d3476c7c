// SmoothQuant's factors by hand, on the built-in model's first layer.
#include <gtest/gtest.h>

#include <cmath>

#include "model/source.h"
#include "quantize/recipe.h"
#include "quantize/transform.h"
#include "support/paths.h"

namespace nibble {
namespace {

TEST(SmoothQuant, DividesInputsByWhatThePaperSays) {
  const ModelSource source(std::filesystem::path(kSourceFolder) / "assets" / "demo");
  Block block = source.block(0), before = source.block(0);
  FloatBlock floats(source, block);
  QuantizeOptions asked;
  asked.method = "rtn";
  asked.transforms = {"smoothquant"};
  asked.settings = {{"smooth-alpha", "0.75"}};
  const Recipe recipe = make_recipe(source, asked);
  std::array<const PlannedModule*, kRoles> modules{};
  for (std::size_t i = 0; i < kRoles; ++i) modules[i] = recipe.find(0, static_cast<Role>(i));
  // Peaks of one stage alone: the others stay as they are.
  std::vector<float> peaks(block.linear(Role::kGate).inputs());
  for (std::size_t c = 0; c < peaks.size(); ++c) peaks[c] = 0.5f + static_cast<float>(c % 7);
  TransformTask task{.block = floats,
                     .hessians = {},
                     .peaks = {},
                     .modules = modules,
                     .options = recipe.transforms.front().options};
  task.peaks[static_cast<std::size_t>(Stage::kMlpIn)] = peaks;
  const auto notes = recipe.transforms.front().transform->apply(task);
  ASSERT_EQ(notes.size(), 1u);

  Tensor gate(before.linear(Role::kGate).outputs(), peaks.size());
  Tensor up(before.linear(Role::kUp).outputs(), peaks.size());
  before.linear(Role::kGate).decode(0, gate.view());
  before.linear(Role::kUp).decode(0, up.view());
  const auto factors = floats.take_factors(Stage::kMlpIn);
  ASSERT_EQ(factors.size(), peaks.size());
  EXPECT_TRUE(floats.take_factors(Stage::kAttentionIn).empty());
  for (std::size_t c = 0; c < peaks.size(); ++c) {
    float weight = 0;
    for (std::size_t r = 0; r < gate.rows(); ++r)
      weight = std::max({weight, std::fabs(gate.view()(r, c)), std::fabs(up.view()(r, c))});
    const double expected = std::pow(peaks[c], 0.75) / std::pow(weight, 0.25);
    // The norm is rounded to bfloat16.
    EXPECT_NEAR(factors[c], expected, expected / 200) << c;
    EXPECT_NEAR(floats.weight(Role::kGate)(3, c), gate.view()(3, c) * factors[c],
                1e-6f + 1e-6f * std::fabs(gate.view()(3, c) * factors[c]));
  }
}

}  // namespace
}  // namespace nibble
