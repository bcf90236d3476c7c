#include "train/adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "support/paths.h"

namespace nibble {
namespace {

// scripts/make_golden_adamw.py: torch.optim.AdamW in float64 over gradients that the test makes
// too.
TEST(AdamW, FollowsPyTorch) {
  const Json golden =
      read_json(std::filesystem::path(kSourceFolder) / "tests/golden/train/adamw.json");
  std::vector<float> decaying = golden["start"].get<std::vector<float>>(), other = decaying;
  std::vector<Parameter> parameters;
  parameters.emplace_back("w", decaying, true);
  parameters.emplace_back("norm", other, false);
  AdamWOptions options;
  options.beta2 = golden["beta2"];
  options.weight_decay = golden["weight_decay"];
  const auto steps = golden["steps"].get<std::size_t>();
  for (std::size_t step = 1; step <= steps; ++step) {
    for (Parameter& p : parameters)
      for (std::size_t i = 0; i < p.gradient.size(); ++i)
        p.gradient[i] = static_cast<float>(std::sin(static_cast<double>(step * (i + 1))) *
                                           std::pow(10.0, static_cast<double>(i % 5) - 2));
    adamw_step(parameters, options, golden["learning_rate"], step);
  }
  for (std::size_t i = 0; i < decaying.size(); ++i) {
    EXPECT_NEAR(decaying[i], golden["decaying"][i].get<double>(), 2e-6) << i;
    EXPECT_NEAR(other[i], golden["other"][i].get<double>(), 2e-6) << i;
  }
}

TEST(AdamW, MeasuresScalesAndClearsGradients) {
  std::vector<float> values(40000, 1.0f), few(1, 1.0f);
  std::vector<Parameter> parameters;
  parameters.emplace_back("many", values, false);
  parameters.emplace_back("one", few, false);
  for (float& g : parameters[0].gradient) g = 0.5f;
  parameters[1].gradient[0] = 3;
  EXPECT_NEAR(gradient_norm(parameters), std::sqrt(40000 * 0.25 + 9), 1e-9);
  scale_gradients(parameters, 0.5);
  EXPECT_EQ(parameters[1].gradient[0], 1.5f);
  clear_gradients(parameters);
  EXPECT_EQ(gradient_norm(parameters), 0);
}

}  // namespace
}  // namespace nibble
