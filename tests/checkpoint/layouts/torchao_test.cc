#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "nibble/error.h"
#include "support/damaged_config.h"
#include "support/error_text.h"
#include "support/memory_checkpoint.h"

namespace nibble {
namespace {

using test::error_text;
using test::MemoryCheckpoint;

const Layout& torchao() { return layouts::named("torchao"); }

template <typename Value>
NamedBytes tensor(const std::string& suffix, DType type, const std::vector<Value>& values,
                  std::vector<std::int64_t> shape) {
  NamedBytes named{{"m._weight_" + suffix, type, std::move(shape), values.size() * sizeof(Value)},
                   {}};
  named.bytes.resize(named.info.bytes);
  std::memcpy(named.bytes.data(), values.data(), named.info.bytes);
  return named;
}

// Two rows of eight codes, −8 … 7, in groups of four.
std::vector<NamedBytes> stored() {
  std::vector<std::int8_t> codes(16);
  for (int i = 0; i < 16; ++i) codes[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(i - 8);
  return {tensor("qdata", DType::kI8, codes, {2, 8}),
          tensor<float>("scale", DType::kF32, {0.5f, 0.25f, 2, 3}, {2, 2}),
          tensor<std::int8_t>("zero_point", DType::kI8, {0, -3, 5, 0}, {2, 2})};
}

Json config_of(const char* type, Json data) {
  return {{"quant_method", "torchao"},
          {"quant_type", {{"default", {{"_type", type}, {"_data", std::move(data)}}}}}};
}
const Json kFour = config_of("IntxWeightOnlyConfig",
                             {{"weight_dtype", {{"_type", "torch.dtype"}, {"_data", "int4"}}}});

Tensor decoded(std::vector<NamedBytes> tensors, const Json& config) {
  const MemoryCheckpoint checkpoint(std::move(tensors));
  const auto codes = torchao().open(checkpoint, config)->open("m");
  Tensor weights(2, 8);
  decode_rows(*codes, 0, weights.view());
  return weights;
}

TEST(Torchao, AWeightIsScaleTimesCodeLessZero) {
  const float scales[] = {0.5f, 0.25f, 2, 3}, zeros[] = {0, -3, 5, 0};
  for (const Json& config : {kFour, config_of("Int8WeightOnlyConfig", Json::object())}) {
    const Tensor weights = decoded(stored(), config);
    for (std::size_t i = 0; i < 16; ++i)
      EXPECT_EQ(weights.data()[i],
                scales[i / 4] * (static_cast<float>(static_cast<int>(i) - 8) - zeros[i / 4]))
          << i;
  }
}

TEST(Torchao, TheConfigSaysHowWideCodesAre) {
  const MemoryCheckpoint checkpoint(stored());
  EXPECT_EQ(torchao().open(checkpoint, kFour)->open("m")->shape().grid->name, "int4");
  const Json eight = config_of("Int8WeightOnlyConfig", Json::object());
  EXPECT_EQ(torchao().open(checkpoint, eight)->open("m")->shape().grid->name, "int8");
  EXPECT_EQ(torchao().open(checkpoint, eight)->open("m")->shape().group_size, 4u);
  EXPECT_TRUE(torchao().open(checkpoint, kFour)->notes().empty());
  const Json rounds = config_of("Int8DynamicActivationInt8WeightConfig", Json::object());
  EXPECT_EQ(torchao().open(checkpoint, rounds)->notes().size(), 1u);
  EXPECT_TRUE(torchao().check(checkpoint, kFour).empty());
}

TEST(Torchao, WithoutZerosTheMiddleCounts) {
  auto tensors = stored();
  tensors.pop_back();
  EXPECT_EQ(decoded(std::move(tensors), kFour).data()[0], -4);
}

TEST(Torchao, WhatIsBrokenOrNotReadIsNamed) {
  const auto refusal = [](const Json& config, auto change) {
    auto tensors = stored();
    change(tensors);
    return error_text([&] { decoded(tensors, config); });
  };
  const auto nothing = [](auto&) {};
  EXPECT_EQ(refusal(kFour, nothing), "");
  EXPECT_NE(refusal(config_of("Float8WeightOnlyConfig", Json::object()), nothing)
                .find("is Float8WeightOnlyConfig"),
            std::string::npos);
  EXPECT_NE(refusal({{"quant_method", "torchao"}}, nothing).find("\"quant_type\""),
            std::string::npos);
  EXPECT_NE(
      refusal(config_of("IntxWeightOnlyConfig", {{"weight_dtype", {{"_data", "int7"}}}}), nothing)
          .find("int7"),
      std::string::npos);
  EXPECT_NE(refusal(kFour, [](auto& t) { t[0].bytes[3] = std::byte{9}; }).find("a code is 9"),
            std::string::npos);
  EXPECT_NE(refusal(kFour, [](auto& t) { t[0].info.dtype = DType::kU8; }).find("expected I8"),
            std::string::npos);
  EXPECT_NE(refusal(kFour,
                    [](auto& t) {
                      t[1].info.shape = {2, 3};
                    })
                .find("3 groups"),
            std::string::npos);
  EXPECT_NE(refusal(kFour,
                    [](auto& t) {
                      const std::uint32_t nan = 0x7FC00000;
                      std::memcpy(t[1].bytes.data(), &nan, 4);
                    })
                .find("non-finite"),
            std::string::npos);
}

Json in_groups(std::size_t group) {
  Json config = kFour;
  config["quant_type"]["default"]["_data"]["granularity"] = {{"_type", "PerGroup"},
                                                             {"_data", {{"group_size", group}}}};
  return config;
}

// The tensors below are in groups of four, whatever the config says.
TEST(Torchao, AGroupSizeThatNoTensorHasIsRefused) {
  const MemoryCheckpoint checkpoint(stored());
  EXPECT_TRUE(torchao().check(checkpoint, in_groups(4)).empty());
  EXPECT_TRUE(torchao().open(checkpoint, in_groups(4))->notes().empty());
  const std::string text = error_text([&] { torchao().open(checkpoint, in_groups(2)); });
  EXPECT_NE(text.find("says groups of 2"), std::string::npos) << text;
  EXPECT_NE(text.find("m._weight_scale of [2, 2]"), std::string::npos) << text;
  EXPECT_NE(text.find("is of groups of 4"), std::string::npos) << text;
  const auto findings = torchao().check(checkpoint, in_groups(2));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings.front().rule, "torchao.group_size");
  Json rows = kFour;
  rows["quant_type"]["default"]["_data"]["granularity"] = {{"_type", "PerAxis"},
                                                           {"_data", {{"axis", 0}}}};
  EXPECT_NE(error_text([&] { torchao().open(checkpoint, rows); }).find("one group for each row"),
            std::string::npos);
  Json older = config_of("Int8WeightOnlyConfig", {{"group_size", 8}});
  EXPECT_NE(error_text([&] { torchao().open(checkpoint, older); }).find("groups of 8"),
            std::string::npos);
}

// Modules may differ from the config, which has one size for all.
TEST(Torchao, AModuleInOtherGroupsIsNoted) {
  auto tensors = stored();
  for (NamedBytes tensor : stored()) {
    tensor.info.name[0] = 'n';
    // One row of sixteen codes in four groups becomes one in two.
    tensor.info.shape = {1, tensor.info.name == "n._weight_qdata" ? 16 : 2};
    tensor.info.bytes /= tensor.info.name == "n._weight_qdata" ? 1u : 2u;
    tensor.bytes.resize(tensor.info.bytes);
    tensors.push_back(std::move(tensor));
  }
  const MemoryCheckpoint checkpoint(std::move(tensors));
  const auto modules = torchao().open(checkpoint, in_groups(4));
  ASSERT_EQ(modules->notes().size(), 1u);
  EXPECT_NE(modules->notes()[0].find("1 of 2 modules are not in groups of 4"), std::string::npos);
  EXPECT_EQ(modules->open("n")->shape().group_size, 8u);
}

TEST(Torchao, SurvivesADamagedConfig) {
  std::size_t refused = 0;
  test::with_each_value_damaged(in_groups(4), [&](const Json& damaged) {
    const auto kind = test::error_kind([&] {
      if (torchao().claims(damaged)) decoded(stored(), damaged);
    });
    if (!kind) return;
    EXPECT_TRUE(kind == ErrorKind::kCorruptFile || kind == ErrorKind::kUnsupported)
        << damaged.dump();
    ++refused;
  });
  EXPECT_GT(refused, 20u);
}

}  // namespace
}  // namespace nibble
