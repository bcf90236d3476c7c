#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/memory_checkpoint.h"
#include "support/sample_codes.h"

namespace nibble {
namespace {

using test::error_text;
using test::MemoryCheckpoint;

const Layout& mlx() { return layouts::named("mlx"); }

template <typename Value>
NamedBytes tensor(const std::string& name, DType type, const std::vector<Value>& values,
                  std::vector<std::int64_t> shape) {
  NamedBytes named{{name, type, std::move(shape), values.size() * sizeof(Value)}, {}};
  named.bytes.resize(named.info.bytes);
  std::memcpy(named.bytes.data(), values.data(), named.info.bytes);
  return named;
}

// Two rows of 32 weights, 3 bits: codes count up from the row's number.
std::vector<NamedBytes> three_bits(std::vector<float> scales, std::vector<float> biases) {
  std::vector<std::uint32_t> words(6);
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t i = 0; i < 32; ++i)
      for (std::size_t bit = 0; bit < 3; ++bit)
        if (((row + i) % 8 >> bit & 1) != 0)
          words[3 * row + (3 * i + bit) / 32] |= 1u << (3 * i + bit) % 32;
  return {tensor("m.weight", DType::kU32, words, {2, 3}),
          tensor("m.scales", DType::kF32, scales, {2, 1}),
          tensor("m.biases", DType::kF32, biases, {2, 1})};
}
const Json kThree = {{"group_size", 32}, {"bits", 3}};

Tensor decoded(std::vector<NamedBytes> tensors, const Json& config) {
  const MemoryCheckpoint checkpoint(std::move(tensors));
  const auto stored = mlx().open(checkpoint, config)->open("m");
  Tensor weights(stored->shape().rows, stored->shape().columns);
  decode_rows(*stored, 0, weights.view());
  return weights;
}

TEST(Mlx, AWeightIsScaleTimesCodePlusBias) {
  const std::vector<float> scales = {-0.37f, 0.0113f}, biases = {1.291f, 3.7f};
  const Tensor weights = decoded(three_bits(scales, biases), kThree);
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t i = 0; i < 32; ++i) {
      const float product = scales[row] * static_cast<float>((row + i) % 8);
      const float largest = std::max(std::fabs(biases[row]), std::fabs(7 * scales[row]));
      EXPECT_NEAR(weights.data()[32 * row + i], product + biases[row], largest * 0x1p-22f) << i;
    }
}

// A scale of 0, or one that is nothing beside the bias, leaves the bias.
TEST(Mlx, ABiasAloneIsKeptAsItIs) {
  const Tensor weights = decoded(three_bits({0, 1e-30f}, {0.731f, -0.731f}), kThree);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(weights.data()[i], 0.731f);
    EXPECT_EQ(weights.data()[32 + i], -0.731f);
  }
  const Tensor zeros = decoded(three_bits({0, 0}, {0, 0}), kThree);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(zeros.data()[i], 0);
}

TEST(Mlx, SymmetricCodesKeepTheirZeros) {
  LayoutSettings settings;
  settings.base = {&grids::uniform(4), 64};
  settings.dtype = DType::kBF16;
  const CodeShape shape = code_shape(8, 128, settings.base);
  const Storable storable = mlx().storable(shape, settings);
  Codes codes = test::sample_codes(shape, storable);
  for (float& zero : codes.zeros) zero = 8;
  const Codes before = codes;
  storable.together(codes);
  EXPECT_EQ(codes.zeros, before.zeros);
  EXPECT_EQ(codes.scales, before.scales);
}

// Whatever the type, what was brought to stored biases comes back as it is.
TEST(Mlx, StoredBiasesComeBackInEachType) {
  for (const DType type : {DType::kF16, DType::kBF16, DType::kF32})
    for (const int bits : {2, 3, 4, 5, 6, 8}) {
      LayoutSettings settings;
      settings.base = {&grids::uniform(bits), 32};
      settings.dtype = type;
      const CodeShape shape = code_shape(40, 96, settings.base);
      const Codes codes = test::sample_codes(shape, mlx().storable(shape, settings));
      const MemoryCheckpoint checkpoint(mlx().write("m", codes, settings));
      const Codes found = codes_of(*mlx().open(checkpoint, mlx().config(settings))->open("m"));
      EXPECT_EQ(found.codes, codes.codes) << bits;
      EXPECT_EQ(found.scales, codes.scales) << bits;
      EXPECT_EQ(found.zeros, codes.zeros) << bits << " " << name(type);
    }
}

TEST(Mlx, ModulesThatDifferStandUnderTheirNames) {
  Json config = {{"group_size", 64}, {"bits", 4}, {"mode", "affine"}, {"other", false}};
  config["m"] = {{"group_size", 32}, {"bits", 3}};
  EXPECT_EQ(decoded(three_bits({1, 1}, {0, 0}), config).data()[5], 5);
  // A null is where a recipe was asked for no size of its own.
  config["group_size"] = 32;
  config["m"]["group_size"] = nullptr;
  EXPECT_EQ(decoded(three_bits({1, 1}, {0, 0}), config).data()[5], 5);
}

// Older folders have no quantization_config.
TEST(Mlx, ItsOwnKeyIsEnough) {
  const MemoryCheckpoint checkpoint(three_bits({1, 1}, {0, 0}));
  const Json config = layouts::with_side_config({{"quantization", kThree}}, "", checkpoint);
  ASSERT_NE(layouts::claiming(config), nullptr);
  EXPECT_EQ(layouts::claiming(config)->name, "mlx");
}

TEST(Mlx, WhatIsBrokenOrNotReadIsNamed) {
  const auto refusal = [](const Json& config, auto change) {
    auto tensors = three_bits({1, 1}, {0, 0});
    change(tensors);
    return error_text([&] { decoded(tensors, config); });
  };
  const auto nothing = [](auto&) {};
  EXPECT_EQ(refusal(kThree, nothing), "");
  EXPECT_NE(refusal({{"group_size", 32}, {"bits", 4}, {"mode", "mxfp4"}}, nothing).find("mxfp4"),
            std::string::npos);
  EXPECT_NE(refusal({{"group_size", 8}, {"bits", 4}}, nothing).find("m.scales has shape [2, 1]"),
            std::string::npos);
  EXPECT_NE(refusal({{"group_size", 32}, {"bits", 5}}, nothing).find("no whole groups"),
            std::string::npos);
  EXPECT_NE(refusal({{"group_size", 32}, {"bits", 7}}, nothing).find("7"), std::string::npos);
  EXPECT_NE(refusal(kThree, [](auto& t) { t[0].info.dtype = DType::kI32; }).find("expected U32"),
            std::string::npos);
  EXPECT_NE(refusal(kThree,
                    [](auto& t) {
                      const float bad = NAN;
                      std::memcpy(t[2].bytes.data() + 4, &bad, 4);
                    })
                .find("m.biases holds a non-finite value"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
