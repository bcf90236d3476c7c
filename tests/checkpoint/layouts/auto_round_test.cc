#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "nibble/error.h"
#include "support/damaged_config.h"
#include "support/error_text.h"
#include "support/memory_checkpoint.h"
#include "support/sample_codes.h"

namespace nibble {
namespace {

using test::error_text;
using test::MemoryCheckpoint;

const Layout& auto_round() { return layouts::named("auto-round"); }

Codes codes_of_bits(int bits, std::size_t group, float lowest_zero) {
  Storable storable;
  storable.lowest_zero = lowest_zero;
  return test::sample_codes(code_shape(64, 128, {&grids::uniform(bits), group}), storable);
}

// GPTQ's tensors without the group of each input, as AutoRound leaves it out.
void add_gptq(std::vector<NamedBytes>& tensors, const std::string& module, const Codes& codes,
              const std::string& dialect) {
  LayoutSettings settings;
  settings.dialect = dialect;
  for (NamedBytes& tensor : layouts::named("gptq").write(module, codes, settings))
    if (!tensor.info.name.ends_with(".g_idx")) tensors.push_back(std::move(tensor));
}

Json config_of(const std::string& packing) {
  return {{"quant_method", "auto-round"},
          {"packing_format", packing},
          {"bits", 4},
          {"group_size", 32},
          {"sym", false},
          {"data_type", "int"}};
}

void expect_same(const StoredCodes& stored, const Codes& expected) {
  const Codes found = codes_of(stored);
  EXPECT_EQ(found.grid, expected.grid);
  EXPECT_EQ(found.codes, expected.codes);
  EXPECT_EQ(found.scales, expected.scales);
  EXPECT_EQ(found.zeros, expected.zeros);
}

TEST(AutoRound, ThePackingSaysHowZerosAreStored) {
  for (const auto& [packing, dialect] :
       {std::pair("auto_round:auto_gptq", "gptq"), std::pair("auto_round", "gptq_v2"),
        std::pair("auto_round:gptqmodel", "gptq_v2")}) {
    const Codes codes = codes_of_bits(4, 32, 1);
    std::vector<NamedBytes> tensors;
    add_gptq(tensors, "m", codes, dialect);
    const MemoryCheckpoint checkpoint(std::move(tensors));
    expect_same(*auto_round().open(checkpoint, config_of(packing))->open("m"), codes);
    for (const Finding& finding : auto_round().check(checkpoint, config_of(packing)))
      EXPECT_FALSE(finding.error) << packing << ": " << finding.text;
  }
}

TEST(AutoRound, ItsAwqIsTheFormGemm) {
  const Codes codes = codes_of_bits(4, 32, 0);
  LayoutSettings settings;
  settings.base = {&grids::uniform(4), 32};
  settings.symmetric = false;
  const MemoryCheckpoint checkpoint(layouts::named("awq").write("m", codes, settings));
  expect_same(*auto_round().open(checkpoint, config_of("auto_round:auto_awq"))->open("m"), codes);
}

// A module's own name comes before any expression, wherever it stands.
TEST(AutoRound, ModulesThatDifferAreFoundByNameAndByExpression) {
  const Codes two = codes_of_bits(2, 64, 1), eight = codes_of_bits(8, 32, 1);
  const Codes four = codes_of_bits(4, 32, 1);
  std::vector<NamedBytes> tensors;
  add_gptq(tensors, "a.layers.0.v_proj", two, "gptq");
  add_gptq(tensors, "a.layers.1.v_proj", eight, "gptq");
  add_gptq(tensors, "a.layers.1.q_proj", four, "gptq");
  const MemoryCheckpoint checkpoint(std::move(tensors));
  Json config = config_of("auto_round:auto_gptq");
  config["extra_config"] = {{"v_proj", {{"bits", 2}, {"group_size", 64}}},
                            {"a.layers.1.v_proj", {{"bits", 8}}},
                            {"lm_head", {{"bits", 16}, {"data_type", "fp"}}}};
  const auto modules = auto_round().open(checkpoint, config);
  expect_same(*modules->open("a.layers.0.v_proj"), two);
  expect_same(*modules->open("a.layers.1.v_proj"), eight);
  expect_same(*modules->open("a.layers.1.q_proj"), four);
  EXPECT_FALSE(modules->holds("lm_head"));
}

TEST(AutoRound, WhatIsNotReadIsNamed) {
  std::vector<NamedBytes> tensors;
  add_gptq(tensors, "m", codes_of_bits(4, 32, 1), "gptq");
  const MemoryCheckpoint checkpoint(std::move(tensors));
  const auto refusal = [&](const char* key, Json value) {
    Json config = config_of("auto_round:auto_gptq");
    config[key] = std::move(value);
    return error_text([&] { auto_round().open(checkpoint, config); });
  };
  EXPECT_EQ(refusal("sym", false), "");
  EXPECT_NE(refusal("packing_format", "auto_round:marlin").find("\"auto_round:marlin\""),
            std::string::npos);
  EXPECT_NE(refusal("data_type", "mx_fp").find("\"mx_fp\""), std::string::npos);
  EXPECT_NE(refusal("act_bits", 8).find("round their inputs"), std::string::npos);
  EXPECT_NE(refusal("rotation_config", {{"kind", "hadamard"}}).find("rotation_config"),
            std::string::npos);
  EXPECT_NE(refusal("extra_config", 3).find("\"extra_config\""), std::string::npos);
  EXPECT_NE(refusal("extra_config", {{"m", 3}}).find("\"m\""), std::string::npos);
  EXPECT_NE(refusal("bits", 5).find("supported: 2, 3, 4, 8"), std::string::npos);
  Json awq = config_of("auto_round:auto_awq");
  awq["extra_config"] = {{"m", {{"group_size", 64}}}};
  EXPECT_NE(error_text([&] { auto_round().open(checkpoint, awq); }).find("one kind for all"),
            std::string::npos);
}

// 4-bit floats: the tensors of compressed-tensors, whose own names and types they are.
std::vector<NamedBytes> float_tensors(const std::string& module, const Codes& codes) {
  LayoutSettings settings;
  settings.base = {codes.grid, codes.group_size};
  return layouts::named("compressed-tensors").write(module, codes, settings);
}

Codes float_codes_of(const char* grid, std::size_t group) {
  const Layout& layout = layouts::named("compressed-tensors");
  const CodeShape shape = code_shape(64, 128, {&grids::named(grid), group});
  Codes codes = test::sample_codes(shape, layout.storable(shape, {}));
  if (const auto together = layout.storable(shape, {}).together) together(codes);
  return codes;
}

Json float_config(const std::string& type, int group) {
  Json config = config_of("auto_round:llm_compressor");
  config["data_type"] = type;
  config["group_size"] = group;
  config["sym"] = true;
  return config;
}

TEST(AutoRound, FourBitFloatsAreThoseOfCompressedTensors) {
  for (const auto& [type, grid, group] :
       {std::tuple("mx_fp", "mxfp4", 32), std::tuple("mx_fp4_rceil", "mxfp4", 32),
        std::tuple("nv_fp4_with_static_gs", "nvfp4", 16)}) {
    const Codes codes = float_codes_of(grid, static_cast<std::size_t>(group));
    const auto tensors = float_tensors("m", codes);
    const MemoryCheckpoint checkpoint(tensors);
    const auto modules = auto_round().open(checkpoint, float_config(type, group));
    expect_same(*modules->open("m"), codes);
    EXPECT_TRUE(modules->notes().empty());
    EXPECT_EQ(auto_round().module_of(tensors.front().info), "m");
    for (const Finding& finding : auto_round().check(checkpoint, float_config(type, group)))
      EXPECT_FALSE(finding.error) << type << ": " << finding.text;
    Json rounding = float_config(type, group);
    rounding["act_bits"] = 4;
    ASSERT_EQ(auto_round().open(checkpoint, rounding)->notes().size(), 1u);
    EXPECT_NE(auto_round().open(checkpoint, rounding)->notes()[0].find("round the inputs"),
              std::string::npos);
  }
}

TEST(AutoRound, WhatIsNotReadOfItsFloatsIsNamed) {
  const MemoryCheckpoint checkpoint(float_tensors("m", float_codes_of("mxfp4", 32)));
  const auto refusal = [&](const char* key, Json value) {
    Json config = float_config("mx_fp", 32);
    config[key] = std::move(value);
    return error_text([&] { auto_round().open(checkpoint, config); });
  };
  EXPECT_EQ(refusal("extra_config", {{"lm_head", {{"bits", 16}}}, {"m", {{"bits", 4}}}}), "");
  EXPECT_NE(refusal("bits", 8).find("with 8 bits"), std::string::npos);
  EXPECT_NE(refusal("data_type", "int").find("\"int\""), std::string::npos);
  EXPECT_NE(refusal("group_size", 64).find("are of 32 weights"), std::string::npos);
  EXPECT_NE(refusal("rotation_config", {{"kind", "hadamard"}}).find("rotation_config"),
            std::string::npos);
  EXPECT_NE(refusal("extra_config", {{"m", {{"data_type", "nv_fp"}, {"group_size", 16}}}})
                .find("of another kind"),
            std::string::npos);
}

TEST(AutoRound, SurvivesADamagedConfigOfFloats) {
  const MemoryCheckpoint checkpoint(float_tensors("m", float_codes_of("mxfp4", 32)));
  Json config = float_config("mx_fp", 32);
  config["extra_config"] = {{"other.*", {{"bits", 16}}}, {"m", {{"bits", 4}}}};
  config["act_bits"] = 4;
  std::size_t refused = 0;
  test::with_each_value_damaged(config, [&](const Json& damaged) {
    const auto kind = test::error_kind([&] {
      if (auto_round().claims(damaged)) auto_round().open(checkpoint, damaged)->open("m");
    });
    if (!kind) return;
    EXPECT_TRUE(kind == ErrorKind::kCorruptFile || kind == ErrorKind::kUnsupported)
        << damaged.dump();
    ++refused;
  });
  EXPECT_GT(refused, 20u);
}

TEST(AutoRound, SurvivesADamagedConfig) {
  std::vector<NamedBytes> tensors;
  add_gptq(tensors, "m", codes_of_bits(4, 32, 1), "gptq");
  const MemoryCheckpoint checkpoint(std::move(tensors));
  Json config = config_of("auto_round:auto_gptq");
  config["extra_config"] = {{"m", {{"bits", 4}, {"group_size", 32}, {"sym", false}}},
                            {"other.*", {{"bits", 16}, {"data_type", "fp"}}}};
  config["act_bits"] = 16;
  config["rotation_config"] = nullptr;
  std::size_t refused = 0;
  test::with_each_value_damaged(config, [&](const Json& damaged) {
    const auto kind = test::error_kind([&] {
      if (auto_round().claims(damaged))
        codes_of(*auto_round().open(checkpoint, damaged)->open("m"));
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
