// Bytes with one scale for each row: LLM.int8 as bitsandbytes computes it and as it is defined, and
// blocks of 32 where panels cannot hold the scales.
#include "nn/panels/scaled_ranges.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "kernels/kernels.h"
#include "nn/joint_forward.h"
#include "nn/stored_linear.h"
#include "support/memory_codes.h"
#include "support/paths.h"

namespace nibble {
namespace {

using test::MemoryCodes;

// The library writes 1 / 127² as 6.200124e-5, 1.8e-5 of it too much.
constexpr float kTolerance = 2.5e-5f;

struct RestoreChoice {
  ~RestoreChoice() { select_kernels("auto"); }
};

// Scales that no float16 is.
Codes bytes_by_row(std::size_t rows, std::size_t columns) {
  Codes codes = test::random_codes(rows, columns, 8, columns, true);
  for (float& scale : codes.scales) scale *= 1.001f;
  return codes;
}

std::unique_ptr<Linear> layer_of(const Codes& codes, Compute compute, std::vector<float> bias = {},
                                 float threshold = kOutlierThreshold) {
  auto layer = stored_linear(std::make_unique<MemoryCodes>(codes), std::move(bias), threshold);
  layer->prepare(compute);
  return layer;
}

// Some columns reach 6, each in another row.
Tensor inputs_with_outliers(std::size_t rows, std::size_t columns) {
  Random random(rows * columns);
  Tensor x(rows, columns);
  for (std::size_t i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(4 * random.uniform() - 2);
  for (std::size_t i = 0; i < 3; ++i)
    x.view()(i % rows, (7 + 19 * i) % columns) = static_cast<float>(8 + i);
  return x;
}

// The definition in whole numbers and double precision, [rows, outputs].
struct Definition {
  std::vector<double> values, sizes;  // sizes: of the terms, by which sums of floats are exact
};
Definition defined(const Codes& codes, ConstMatrix x, float threshold) {
  const float limit = threshold > 0 ? threshold : INFINITY;
  std::vector<bool> large(x.columns);
  for (std::size_t t = 0; t < x.rows; ++t)
    for (std::size_t c = 0; c < x.columns; ++c)
      if (std::fabs(x(t, c)) >= limit) large[c] = true;
  Definition result;
  for (std::size_t t = 0; t < x.rows; ++t) {
    float top = 0;
    for (std::size_t c = 0; c < x.columns; ++c)
      if (std::fabs(x(t, c)) < limit) top = std::max(top, std::fabs(x(t, c)));
    for (std::size_t row = 0; row < codes.rows; ++row) {
      const double scale = codes.scales[row];
      std::int64_t sum = 0;
      double outliers = 0, size = 127 * 127 * std::fabs(scale) * (top / 127);
      for (std::size_t c = 0; c < x.columns; ++c) {
        const int code = codes.row(row)[c] - 128;
        if (large[c]) {
          outliers += x(t, c) * scale * code;
          size += std::fabs(x(t, c) * scale * code);
        } else {
          sum += static_cast<std::int64_t>(std::nearbyint(x(t, c) * (127 / top))) * code;
        }
      }
      const double product = static_cast<double>(sum) * (top / 127) * scale;
      result.values.push_back(product + outliers);
      result.sizes.push_back(size + std::fabs(product));
    }
  }
  return result;
}

TEST(ScaledRanges, LlmInt8IsItsDefinitionOnEveryInstructionSet) {
  const RestoreChoice restore;
  for (const float threshold : {0.0f, 6.0f})
    for (const std::size_t columns : {50u, 544u})
      for (const std::size_t rows : {1u, 2u, 3u, 9u, 20u, 100u}) {
        const Codes codes = bytes_by_row(37, columns);
        const Tensor x = inputs_with_outliers(rows, columns);
        std::vector<float> bias(codes.rows);
        for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i);
        const Definition exact = defined(codes, x.view(), threshold);
        const auto layer = layer_of(codes, Compute::kLlmInt8, bias, threshold);
        ASSERT_NE(layer->ranges(Compute::kLlmInt8), nullptr);
        for (const char* const* name = runnable_kernels(); *name != nullptr; ++name) {
          select_kernels(*name);
          Tensor y(rows, codes.rows);
          layer->forward(x.view(), y.view(), Compute::kLlmInt8);
          for (std::size_t i = 0; i < y.size(); ++i) {
            const float added = bias[i % codes.rows];
            // Sums of floats; codes do not differ.
            ASSERT_NEAR(y.data()[i], exact.values[i] + added, 1e-5 * (exact.sizes[i] + added))
                << *name << ", threshold " << threshold << ", " << rows << " x " << columns
                << ", number " << i;
          }
        }
        select_kernels("auto");
      }
}

std::vector<float> floats(const Json& list) { return list.get<std::vector<float>>(); }

// The library's own products: tests/golden/README.md.
TEST(ScaledRanges, LlmInt8IsWhatBitsandbytesComputes) {
  const Json cases = read_json(std::string(kSourceFolder) + "/tests/golden/nn/llm_int8.json");
  ASSERT_FALSE(cases.empty());
  for (const Json& one : cases) {
    const auto rows = one["rows"].get<std::size_t>(), columns = one["columns"].get<std::size_t>();
    const std::vector<float> magnitudes = floats(one["magnitudes"]), x = floats(one["x"]),
                             expected = floats(one["y"]);
    const std::vector<int> weights = one["codes"].get<std::vector<int>>();
    Codes codes = make_codes(grids::uniform(8), magnitudes.size(), columns, columns);
    for (std::size_t i = 0; i < weights.size(); ++i)
      codes.codes[i] = static_cast<std::uint8_t>(weights[i] + 128);
    for (std::size_t r = 0; r < codes.rows; ++r) codes.set_params(r, 0, {magnitudes[r] / 127, 128});
    const auto layer =
        layer_of(codes, Compute::kLlmInt8, floats(one["bias"]), one["threshold"].get<float>());
    Tensor y(rows, codes.rows);
    layer->forward(ConstMatrix(x.data(), rows, columns), y.view(), Compute::kLlmInt8);
    float largest = 0;
    for (const float value : expected) largest = std::max(largest, std::fabs(value));
    for (std::size_t i = 0; i < y.size(); ++i)
      EXPECT_NEAR(y.data()[i], expected[i], kTolerance * largest) << one["name"] << " " << i;
  }
}

TEST(ScaledRanges, OtherWeightsHaveNoLlmInt8AndComputeInFloats) {
  Codes moved = bytes_by_row(20, 64);
  moved.zeros[3] = 127;
  for (const Codes& codes :
       {moved, test::random_codes(20, 64, 8, 32, true), test::random_codes(20, 64, 4, 64, true)}) {
    const auto layer = layer_of(codes, Compute::kLlmInt8),
               exact = layer_of(codes, Compute::kFloat32);
    EXPECT_EQ(layer->ranges(Compute::kLlmInt8), nullptr);
    const Tensor x = inputs_with_outliers(3, 64);
    Tensor y(3, 20), expected(3, 20);
    layer->forward(x.view(), y.view(), Compute::kLlmInt8);
    exact->forward(x.view(), expected.view(), Compute::kFloat32);
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y.data()[i], expected.data()[i]);
  }
}

// Most scales of 8-bit folders are no float16: without this form they would run in floats.
TEST(ScaledRanges, Int8RoundsInputsInBlocksWhateverTheScales) {
  const Codes codes = bytes_by_row(37, 96);
  std::vector<float> bias(codes.rows, 0.5f);
  const auto layer = layer_of(codes, Compute::kInt8, bias);
  ASSERT_NE(layer->ranges(Compute::kInt8), nullptr);
  EXPECT_EQ(layer->ranges(Compute::kLlmInt8), nullptr);
  Codes half = codes;
  for (float& scale : half.scales) scale = 1;
  const auto whole = layer_of(half, Compute::kInt8);
  for (const std::size_t rows : {1u, 20u}) {
    const Tensor x = inputs_with_outliers(rows, 96);
    Tensor y(rows, 37), sums(rows, 37);
    layer->forward(x.view(), y.view(), Compute::kInt8);
    whole->forward(x.view(), sums.view(), Compute::kInt8);
    for (std::size_t t = 0; t < rows; ++t)
      for (std::size_t r = 0; r < 37; ++r)
        EXPECT_EQ(y.view()(t, r), sums.view()(t, r) * codes.scales[r] + 0.5f);
  }
}

TEST(ScaledRanges, LayersThatShareAnInputGiveWhatEachGivesAlone) {
  const Codes codes = bytes_by_row(37, 96), others = bytes_by_row(48, 96);
  const auto first = layer_of(codes, Compute::kLlmInt8),
             second = layer_of(others, Compute::kLlmInt8);
  for (const std::size_t rows : {1u, 20u, 200u}) {
    const Tensor x = inputs_with_outliers(rows, 96);
    Tensor a(rows, 37), b(rows, 48), alone(rows, 48);
    const LayerInput shared(x.view());
    forward_together(std::vector<LayerOutput>{{first.get(), a.view()}, {second.get(), b.view()}},
                     shared, Compute::kLlmInt8);
    second->forward(x.view(), alone.view(), Compute::kLlmInt8);
    for (std::size_t i = 0; i < b.size(); ++i) EXPECT_EQ(b.data()[i], alone.data()[i]);
  }
}

TEST(ScaledRanges, AreMadeAnewForAnotherArithmetic) {
  const Codes codes = bytes_by_row(37, 96);
  const Tensor x = inputs_with_outliers(4, 96);
  const auto product = [&](Linear& layer, Compute compute) {
    Tensor y(4, 37);
    layer.forward(x.view(), y.view(), compute);
    return y;
  };
  const auto layer = layer_of(codes, Compute::kInt8);
  layer->prepare(Compute::kLlmInt8);
  const Tensor found = product(*layer, Compute::kLlmInt8);
  const Tensor expected = product(*layer_of(codes, Compute::kLlmInt8), Compute::kLlmInt8);
  const Tensor other = product(*layer_of(codes, Compute::kInt8), Compute::kInt8);
  EXPECT_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)), 0);
  EXPECT_NE(std::memcmp(found.data(), other.data(), found.size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace nibble
