// Statistics of inputs: the same products as a job gathers for itself, and the same file whatever
// stopped the work.
#include "quantize/calibration/calibrate.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"
#include "nibble/error.h"
#include "quantize/calibration/input_statistics.h"
#include "quantize/calibration/original_walk.h"
#include "quantize/layer/moments.h"
#include "quantize/passport.h"
#include "quantize/quantize.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "support/token_windows.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

CalibrateOptions options_in(const TempDir& folder) {
  CalibrateOptions options;
  options.calibration = test::token_windows_in(folder);
  return options;
}

TEST(Calibrate, HoldsTheProductsOfEachStagesInputs) {
  const TempDir dir;
  const CalibrateResult result = calibrate_model(kDemo, dir / "s.gguf", options_in(dir), {}, {});
  EXPECT_EQ(result.entries, 42u);
  const InputStatistics statistics(dir / "s.gguf");
  EXPECT_EQ(statistics.calibration().samples, 3u);
  EXPECT_EQ(statistics.calibration().hash, result.calibration.hash);

  const ModelSource source(kDemo);
  OriginalWalk walk(source, result.calibration, Compute::kFloat32);
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const Block block = source.block(layer);
    // By hand, in double.
    std::array<std::vector<double>, kStages.size()> sums;
    walk.pass(block, [&](Stage stage, ConstMatrix input) {
      auto& sum = sums[static_cast<std::size_t>(stage)];
      sum.resize(input.columns * input.columns);
      for (std::size_t r = 0; r < input.rows; ++r)
        for (std::size_t i = 0; i < input.columns; ++i)
          for (std::size_t j = 0; j < input.columns; ++j)
            sum[i * input.columns + j] += double{input(r, i)} * double{input(r, j)};
    });
    for (const Stage stage : kStages) {
      const auto& sum = sums[static_cast<std::size_t>(stage)];
      const auto columns = static_cast<std::size_t>(std::sqrt(static_cast<double>(sum.size())));
      const Tensor products = statistics.products(layer, stage, columns);
      double mean = 0;
      for (std::size_t i = 0; i < columns; ++i) mean += sum[i * columns + i] / 96;
      mean /= static_cast<double>(columns);
      for (std::size_t i = 0; i < sum.size(); ++i)
        ASSERT_NEAR(products.data()[i], sum[i] / 96, 1e-5 * mean + 1e-6 * std::fabs(sum[i]) / 96)
            << layer << " " << i;
    }
  }
}

TEST(Calibrate, GoesOnWhereItWasStopped) {
  const TempDir dir;
  calibrate_model(kDemo, dir / "whole.gguf", options_in(dir), {}, {});
  EXPECT_THROW(calibrate_model(kDemo, dir / "parts.gguf", options_in(dir),
                               [](const ProgressEvent& event) {
                                 if (event.label.find(".2") != std::string_view::npos)
                                   throw Error(ErrorKind::kInterrupted, "stopped by the test");
                               },
                               {}),
               Error);
  EXPECT_FALSE(fs::exists(dir / "parts.gguf"));
  CalibrateOptions options = options_in(dir);
  options.resume = Resume::kRequired;
  const CalibrateResult result = calibrate_model(kDemo, dir / "parts.gguf", options, {}, {});
  EXPECT_GE(result.resumed_layers, 1u);
  EXPECT_EQ(sha256_of_file(dir / "parts.gguf"), sha256_of_file(dir / "whole.gguf"));
  EXPECT_FALSE(fs::exists(dir / "parts.gguf.journal"));
}

// What a transform folds into the layer in front makes inputs smaller: statistics must follow.
TEST(Calibrate, StatisticsFollowATransform) {
  const TempDir dir;
  calibrate_model(kDemo, dir / "s.gguf", options_in(dir), {}, {});
  QuantizeOptions options;
  options.transforms = {"awq"};
  options.settings = {{"drift-correction", "0"}, {"awq-steps", "4"}, {"awq-rows", "16"}};
  options.calibration = options_in(dir).calibration;
  const auto by_text = quantize_model(kDemo, dir / "text", options, {}, false);
  options.settings.erase("drift-correction");
  options.calibration.sources.clear();
  options.statistics = dir / "s.gguf";
  const auto by_statistics = quantize_model(kDemo, dir / "statistics", options, {}, false);
  // The first stage of the first layer sees the same inputs either way.
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(*by_statistics.modules[i].output_error, *by_text.modules[i].output_error,
                1e-2 * *by_text.modules[i].output_error);
    EXPECT_EQ(by_statistics.transform_notes.front(), by_text.transform_notes.front());
  }
}

TEST(Calibrate, StatisticsOfAnotherModelAreRefused) {
  const TempDir dir;
  calibrate_model(kDemo, dir / "s.gguf", options_in(dir), {}, {});
  const InputStatistics statistics(dir / "s.gguf");
  const auto told = [&](const Json& files) {
    return test::error_text([&] { statistics.require_model(files); });
  };
  EXPECT_NE(told({{"config.json", "0"}}).find("config.json has another sum"), std::string::npos);
  EXPECT_NE(told({{"other.safetensors", "0"}}).find("is unknown to it"), std::string::npos);
}

TEST(Calibrate, ProductsOfAnotherSizeAreRefused) {
  const TempDir dir;
  calibrate_model(kDemo, dir / "s.gguf", options_in(dir), {}, {});
  const InputStatistics statistics(dir / "s.gguf");
  EXPECT_NE(test::error_text([&] {
              statistics.products(0, Stage::kMlpOut, 767);
            }).find("blk.0.ffn_down.weight.in_products is not of 767 inputs"),
            std::string::npos);
  EXPECT_NE(
      test::error_text([&] { statistics.products(6, Stage::kMlpOut, 768); }).find("is missing"),
      std::string::npos);
}

}  // namespace
}  // namespace nibble
