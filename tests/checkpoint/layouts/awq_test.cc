#include <gtest/gtest.h>

#include <algorithm>
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
using test::sample_codes;

const Layout& awq() { return layouts::named("awq"); }

LayoutSettings settings_for(std::size_t group, bool symmetric = false) {
  LayoutSettings settings;
  settings.base = {&grids::named("int4"), group};
  settings.symmetric = symmetric;
  settings.dialect = "gemm";
  return settings;
}

Codes codes_for(const LayoutSettings& settings, std::size_t rows, std::size_t columns) {
  const CodeShape shape = code_shape(rows, columns, settings.base);
  Codes codes = sample_codes(shape, awq().storable(shape, settings));
  if (settings.symmetric) std::fill(codes.zeros.begin(), codes.zeros.end(), 8.0f);
  return codes;
}

Codes read(std::vector<NamedBytes> tensors, const Json& config) {
  const MemoryCheckpoint checkpoint(std::move(tensors));
  return codes_of(*awq().open(checkpoint, config)->open("m"));
}

std::vector<std::uint32_t> words_of(const NamedBytes& tensor) {
  std::vector<std::uint32_t> words(tensor.bytes.size() / 4);
  std::memcpy(words.data(), tensor.bytes.data(), tensor.bytes.size());
  return words;
}

// The published packing vector: outputs 0 … 7 hold 0 … 7.
TEST(Awq, InterleavesOutputsAsTheFieldDoes) {
  Codes codes = make_codes(grids::uniform(4), 8, 32, 32);
  for (std::size_t o = 0; o < 8; ++o) {
    std::fill(codes.row(o).begin(), codes.row(o).end(), static_cast<std::uint8_t>(o));
    codes.zeros[o] = static_cast<float>(15 - o);
    codes.scales[o] = 1;
  }
  const auto tensors = awq().write("m", codes, settings_for(32));
  EXPECT_EQ(words_of(tensors[0]), std::vector<std::uint32_t>(32, 0x75316420));
  EXPECT_EQ(words_of(tensors[1]), std::vector<std::uint32_t>{0x8ACE9BDF});
  EXPECT_EQ(tensors[0].info.shape, (std::vector<std::int64_t>{32, 1}));
  EXPECT_EQ(tensors[2].info.dtype, DType::kF16);
}

// 24 outputs end in the middle of sixteen, 40 columns in the middle of a block.
TEST(Awq, MatricesThatFillNoBlockComeBack) {
  for (const bool symmetric : {false, true})
    for (const std::size_t group : {0, 8, 20}) {
      const LayoutSettings settings = settings_for(group, symmetric);
      const Codes codes = codes_for(settings, 24, 40);
      const Codes found = read(awq().write("m", codes, settings), awq().config(settings));
      EXPECT_EQ(found.codes, codes.codes) << group;
      EXPECT_EQ(found.zeros, codes.zeros) << group;
      EXPECT_EQ(found.scales, codes.scales) << group;
    }
}

TEST(Awq, TheConfigIsReadInAllItsSpellings) {
  const LayoutSettings settings = settings_for(32);
  const Codes codes = codes_for(settings, 8, 64);
  const auto tensors = awq().write("m", codes, settings);
  const Json older = {
      {"zero_point", true}, {"q_group_size", 32}, {"w_bit", 4}, {"version", "GEMM"}};
  EXPECT_EQ(read(tensors, older).codes, codes.codes);
  const auto refusal = [&](const char* key, const Json& value) {
    Json config = awq().config(settings);
    config[key] = value;
    return error_text([&] { read(tensors, config); });
  };
  EXPECT_NE(refusal("version", "GEMV").find("\"gemv\"; supported: gemm"), std::string::npos);
  EXPECT_NE(refusal("bits", 8).find("\"bits\" is 8"), std::string::npos);
  EXPECT_NE(refusal("group_size", 0).find("\"group_size\" is 0"), std::string::npos);
  EXPECT_NE(refusal("group_size", 64).find("qzeros has shape"), std::string::npos);
}

TEST(Awq, SkippedModulesAndTheHeadAreNamed) {
  LayoutSettings settings = settings_for(0, true);
  EXPECT_EQ(awq().config(settings)["modules_to_not_convert"], Json(nullptr));
  EXPECT_EQ(awq().config(settings)["group_size"], -1);
  EXPECT_EQ(awq().config(settings)["zero_point"], false);
  settings.skipped = {"model.layers.0.mlp.up_proj"};
  EXPECT_EQ(awq().config(settings)["modules_to_not_convert"],
            Json::array({"model.layers.0.mlp.up_proj", "lm_head"}));
}

TEST(Awq, OneGroupSizeIsAllThatReadersKnow) {
  const CodeShape shape = code_shape(8, 64, {&grids::named("int4"), 32});
  EXPECT_NE(error_text([&] {
              awq().plan("m", shape, settings_for(64));
            }).find("one size for all modules, 64"),
            std::string::npos);
}

TEST(Awq, BrokenTensorsAreNamed) {
  const LayoutSettings settings = settings_for(32);
  const auto refusal = [&](std::size_t which, auto change) {
    auto tensors = awq().write("m", codes_for(settings, 8, 64), settings);
    change(tensors[which]);
    return error_text([&] { read(tensors, awq().config(settings)); });
  };
  EXPECT_NE(refusal(0, [](NamedBytes& t) { t.info.dtype = DType::kF32; }).find("has type F32"),
            std::string::npos);
  EXPECT_NE(refusal(2, [](NamedBytes& t) { t.bytes[1] = std::byte{0x7C}; }).find("non-finite"),
            std::string::npos);
  EXPECT_NE(refusal(1, [](NamedBytes& t) { t.bytes.resize(4); }).find("expected 8"),
            std::string::npos);
  Codes codes = codes_for(settings, 8, 64);
  codes.zeros[0] = 16;
  EXPECT_NE(error_text([&] { awq().write("m", codes, settings); }).find("zero 16 cannot"),
            std::string::npos);
}

TEST(Awq, AZeroThatTheConfigDeniesIsAnError) {
  const LayoutSettings settings = settings_for(32);
  const MemoryCheckpoint checkpoint(awq().write("m", codes_for(settings, 8, 64), settings));
  Json config = awq().config(settings);
  config["zero_point"] = false;
  const auto findings = awq().check(checkpoint, config);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].rule, "awq.zero_point");
}

}  // namespace
}  // namespace nibble
