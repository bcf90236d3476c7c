#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/random.h"
#include "base/text.h"
#include "checkpoint/layout.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/memory_checkpoint.h"

namespace nibble {
namespace {

using test::error_text;
using test::MemoryCheckpoint;

const Layout& gptq() { return layouts::named("gptq"); }

std::optional<Codes> read(const CheckpointReader& checkpoint, const Json& config,
                          const std::string& module) {
  const auto stored = gptq().open(checkpoint, config);
  if (!stored->holds(module)) return std::nullopt;
  return codes_of(*stored->open(module));
}

// Random codes whose scales are exact in float16; zeros 2^(b−1) or anywhere from `lowest_zero`.
Codes random_codes(std::size_t rows, std::size_t columns, int bits, std::size_t group,
                   bool symmetric, int lowest_zero = 1) {
  Random random(static_cast<std::uint64_t>(bits) * 1000 + group);
  Codes codes = make_codes(grids::uniform(bits), rows, columns, group);
  const auto levels = static_cast<std::uint64_t>(1) << bits;
  for (auto& code : codes.codes) code = static_cast<std::uint8_t>(random.below(levels));
  for (auto& scale : codes.scales)
    scale = (static_cast<float>(random.below(1000)) + 1) / 4096 * (random.below(2) ? 1.f : -1.f);
  const auto lowest = static_cast<std::uint64_t>(lowest_zero);
  for (auto& zero : codes.zeros)
    zero = static_cast<float>(symmetric ? levels / 2 : lowest + random.below(levels - lowest));
  return codes;
}

LayoutSettings settings_for(const Codes& codes, bool symmetric, const std::string& variant) {
  LayoutSettings settings;
  settings.base = {codes.grid, codes.group_size == codes.columns ? 0 : codes.group_size};
  settings.symmetric = symmetric;
  settings.dialect = variant;
  return settings;
}

std::vector<std::uint32_t> words_of(const NamedBytes& tensor) {
  std::vector<std::uint32_t> words(tensor.bytes.size() / 4);
  std::memcpy(words.data(), tensor.bytes.data(), tensor.bytes.size());
  return words;
}

struct Case {
  int bits;
  std::size_t group;
  bool symmetric;
  const char* variant;
};

class GptqRoundTrip : public testing::TestWithParam<Case> {};

TEST_P(GptqRoundTrip, ReadsBackWhatItWrote) {
  const auto [bits, group, symmetric, variant] = GetParam();
  const Codes codes =
      random_codes(64, 128, bits, group, symmetric, std::string(variant) == "gptq_v2" ? 0 : 1);
  const LayoutSettings settings = settings_for(codes, symmetric, variant);
  const MemoryCheckpoint checkpoint(gptq().write("m", codes, settings));
  const auto found = read(checkpoint, gptq().config(settings), "m");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->codes, codes.codes);
  EXPECT_EQ(found->zeros, codes.zeros);
  EXPECT_EQ(found->scales, codes.scales);
  EXPECT_EQ(found->group_size, codes.group_size);
  EXPECT_TRUE(found->group_index.empty());
}

INSTANTIATE_TEST_SUITE_P(
    AllDialects, GptqRoundTrip,
    testing::Values(Case{2, 32, true, "gptq"}, Case{3, 32, true, "gptq"}, Case{4, 32, true, "gptq"},
                    Case{8, 32, true, "gptq"}, Case{2, 64, false, "gptq"},
                    Case{3, 64, false, "gptq"}, Case{4, 64, false, "gptq"},
                    Case{8, 64, false, "gptq"}, Case{2, 128, false, "gptq_v2"},
                    Case{3, 128, false, "gptq_v2"}, Case{4, 128, false, "gptq_v2"},
                    Case{8, 128, false, "gptq_v2"}),
    [](const auto& test) {
      return cat("Bits", test.param.bits, "Groups", test.param.group,
                 test.param.symmetric ? "Symmetric_" : "Asymmetric_", test.param.variant);
    });

// The published packing vectors: 32 codes k mod 8 at three bits, zero 4 in both dialects.
TEST(Gptq, PacksThreeBitsAsTheFieldDoes) {
  Codes codes = make_codes(grids::uniform(3), 32, 32, 32);
  for (std::size_t o = 0; o < 32; ++o)
    for (std::size_t i = 0; i < 32; ++i) codes.row(o)[i] = i % 8;
  std::fill(codes.zeros.begin(), codes.zeros.end(), 4.0f);
  std::fill(codes.scales.begin(), codes.scales.end(), 1.0f);
  const auto v1 = gptq().write("m", codes, settings_for(codes, true, "gptq"));
  const auto v2 = gptq().write("m", codes, settings_for(codes, true, "gptq_v2"));
  const auto qweight = words_of(v1[0]);
  EXPECT_EQ(qweight[0], 0x88FAC688u);
  EXPECT_EQ(qweight[32], 0xC688FAC6u);
  EXPECT_EQ(qweight[64], 0xFAC688FAu);
  EXPECT_EQ(words_of(v1[1]), (std::vector<std::uint32_t>{0xDB6DB6DB, 0xB6DB6DB6, 0x6DB6DB6D}));
  EXPECT_EQ(words_of(v2[1]), (std::vector<std::uint32_t>{0x24924924, 0x49249249, 0x92492492}));
}

TEST(Gptq, PacksFourBitsLowNibbleFirst) {
  Codes codes = make_codes(grids::uniform(4), 32, 32, 32);
  for (std::size_t o = 0; o < 32; ++o)
    for (std::size_t i = 0; i < 32; ++i) codes.row(o)[i] = i % 8;
  std::fill(codes.zeros.begin(), codes.zeros.end(), 8.0f);
  std::fill(codes.scales.begin(), codes.scales.end(), 1.0f);
  const auto tensors = gptq().write("m", codes, settings_for(codes, true, "gptq"));
  EXPECT_EQ(words_of(tensors[0])[0], 0x76543210u);
  EXPECT_EQ(words_of(tensors[1])[0], 0x77777777u);
}

TEST(Gptq, KeepsActOrderGroups) {
  Codes codes = random_codes(32, 64, 4, 32, true);
  codes.group_index.resize(64);
  for (std::size_t i = 0; i < 64; ++i) codes.group_index[i] = i % 2;
  LayoutSettings settings = settings_for(codes, true, "gptq");
  settings.group_index = true;
  const MemoryCheckpoint checkpoint(gptq().write("m", codes, settings));
  EXPECT_EQ(read(checkpoint, gptq().config(settings), "m")->group_index, codes.group_index);
}

TEST(Gptq, RefusesAZeroThatTheFirstDialectCannotHold) {
  Codes codes = random_codes(32, 32, 4, 32, true);
  codes.zeros[5] = 0;
  EXPECT_THROW(gptq().write("m", codes, settings_for(codes, false, "gptq")), Error);
  EXPECT_NO_THROW(gptq().write("m", codes, settings_for(codes, false, "gptq_v2")));
}

// 20 outputs and 40 inputs fill neither the words of zeros nor the last words of codes.
TEST(Gptq, ReadsMatricesThatFillNoBlock) {
  for (const int bits : {2, 3, 4, 8}) {
    constexpr std::size_t kOutputs = 20, kInputs = 40, kGroup = 16, kGroups = 3;
    Codes codes = random_codes(kOutputs, kInputs, bits, kGroup, false);
    const auto width = static_cast<std::size_t>(bits);
    const std::size_t word_rows = (kInputs * width + 31) / 32;
    const std::size_t zero_words = (kOutputs * width + 31) / 32;
    std::vector<std::uint32_t> words(word_rows * kOutputs), zeros(kGroups * zero_words);
    // Bit by bit, in no way as the program does it.
    const auto put = [](std::uint32_t& word, std::size_t bit, std::size_t value, std::size_t from) {
      word |= static_cast<std::uint32_t>(value >> from & 1) << bit;
    };
    for (std::size_t o = 0; o < kOutputs; ++o)
      for (std::size_t b = 0; b < kInputs * width; ++b)
        put(words[b / 32 * kOutputs + o], b % 32, codes.row(o)[b / width], b % width);
    for (std::size_t g = 0; g < kGroups; ++g)
      for (std::size_t b = 0; b < kOutputs * width; ++b)
        put(zeros[g * zero_words + b / 32], b % 32,
            static_cast<std::size_t>(codes.zeros[b / width * kGroups + g]) - 1, b % width);
    std::vector<float> scales(kGroups * kOutputs);
    for (std::size_t o = 0; o < kOutputs; ++o)
      for (std::size_t g = 0; g < kGroups; ++g)
        scales[g * kOutputs + o] = codes.scales[o * kGroups + g];
    std::vector<std::int32_t> index(kInputs);
    for (std::size_t i = 0; i < kInputs; ++i) index[i] = static_cast<std::int32_t>(i / kGroup);
    const auto tensor = [](const std::string& name, DType type, std::vector<std::int64_t> shape,
                           const auto& values) {
      NamedBytes named{{name, type, std::move(shape), 4 * values.size()}, {}};
      named.bytes.resize(4 * values.size());
      std::memcpy(named.bytes.data(), values.data(), named.bytes.size());
      return named;
    };
    const auto size = [](std::size_t value) { return static_cast<std::int64_t>(value); };
    const MemoryCheckpoint checkpoint(
        {tensor("m.qweight", DType::kI32, {size(word_rows), size(kOutputs)}, words),
         tensor("m.qzeros", DType::kI32, {size(kGroups), size(zero_words)}, zeros),
         tensor("m.scales", DType::kF32, {size(kGroups), size(kOutputs)}, scales),
         tensor("m.g_idx", DType::kI32, {size(kInputs)}, index)});
    const auto found = read(checkpoint, gptq().config(settings_for(codes, false, "gptq")), "m");
    EXPECT_EQ(found->codes, codes.codes) << bits;
    EXPECT_EQ(found->zeros, codes.zeros) << bits;
    EXPECT_EQ(found->scales, codes.scales) << bits;
  }
}

// A tool that subtracts 0x11111111 from whole words leaves a borrow beside a zero of 0.
TEST(Gptq, UndoesBorrowsOfToolsThatSubtractByWord) {
  Codes codes = random_codes(32, 32, 4, 32, false);
  codes.zeros[0] = 0;
  const LayoutSettings settings = settings_for(codes, false, "gptq_v2");
  auto tensors = gptq().write("m", codes, settings);
  for (std::size_t i = 0; i < tensors[1].bytes.size(); i += 4) {
    std::uint32_t word;
    std::memcpy(&word, &tensors[1].bytes[i], 4);
    word -= 0x11111111;
    std::memcpy(&tensors[1].bytes[i], &word, 4);
  }
  Json config = gptq().config(settings);
  config["checkpoint_format"] = "gptq";
  config["meta"]["quantizer"] = Json::array({"gptqmodel:7.7.0"});
  EXPECT_EQ(read(MemoryCheckpoint(std::move(tensors)), config, "m")->zeros, codes.zeros);
}

TEST(Gptq, RefusesTensorsThatContradictEachOther) {
  const Codes codes = random_codes(32, 64, 4, 32, true);
  const LayoutSettings settings = settings_for(codes, true, "gptq");
  const Json config = gptq().config(settings);
  const auto broken = [&](auto&& change) {
    auto tensors = gptq().write("m", codes, settings);
    change(tensors);
    return MemoryCheckpoint(std::move(tensors));
  };
  const auto far_group = broken([](auto& tensors) { tensors[3].bytes[0] = std::byte{9}; });
  EXPECT_THROW(read(far_group, config, "m"), Error);
  const auto no_scales = broken([](auto& tensors) { tensors.erase(tensors.begin() + 2); });
  EXPECT_THROW(read(no_scales, config, "m"), Error);
  const auto other_shape = broken([](auto& tensors) { tensors[1].info.shape = {4, 2}; });
  EXPECT_THROW(read(other_shape, config, "m"), Error);
  const auto infinite = broken([](auto& tensors) { tensors[2].bytes[1] = std::byte{0x7C}; });
  EXPECT_THROW(read(infinite, config, "m"), Error);
}

TEST(Gptq, RefusesActOrderGroupsWithoutTheirIndex) {
  const Codes codes = random_codes(32, 64, 4, 32, true);
  LayoutSettings settings = settings_for(codes, true, "gptq");
  settings.group_index = true;
  auto tensors = gptq().write("m", codes, settings);
  tensors.pop_back();  // g_idx
  const MemoryCheckpoint lost(tensors);
  const Json config = gptq().config(settings);
  EXPECT_NE(error_text([&] { read(lost, config, "m"); }).find("there is no m.g_idx"),
            std::string::npos);
  const auto findings = gptq().check(lost, config);
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                          [](const Finding& finding) { return finding.error; }));
  // Without act-order, and where a row is one group, it says nothing.
  settings.group_index = false;
  EXPECT_EQ(read(lost, gptq().config(settings), "m")->codes, codes.codes);
}

TEST(Gptq, SettingsOfOneModuleComeFromTheFirstMatchingRule) {
  const Codes codes = random_codes(32, 64, 8, 64, true);
  LayoutSettings settings;
  settings.base = {&grids::named("int4"), 32};
  settings.overrides = {{"model.layers.0.mlp.down_proj", {&grids::named("int8"), 0}}};
  const std::string module = "model.layers.0.mlp.down_proj";
  const MemoryCheckpoint checkpoint(gptq().write(module, codes, settings));
  const auto found = read(checkpoint, gptq().config(settings), module);
  EXPECT_EQ(found->bits(), 8);
  EXPECT_EQ(found->codes, codes.codes);
}

TEST(Gptq, WarnsWhenMarlinWillRefuse) {
  const Codes codes = random_codes(32, 64, 3, 32, true);
  const LayoutSettings settings = settings_for(codes, true, "gptq");
  const MemoryCheckpoint checkpoint(gptq().write("m", codes, settings));
  std::vector<std::string> rules;
  for (const Finding& finding : gptq().check(checkpoint, gptq().config(settings))) {
    EXPECT_FALSE(finding.error) << finding.text;
    rules.push_back(finding.rule);
  }
  EXPECT_NE(std::find(rules.begin(), rules.end(), "vllm.marlin.bits"), rules.end());
  EXPECT_NE(std::find(rules.begin(), rules.end(), "vllm.marlin.shape"), rules.end());
}

// A v1 writer stores the middle less one; only a v2 writer stores the middle.
TEST(Gptq, ReadsTheSecondDialectInAFolderThatClaimsTheFirst) {
  for (const int bits : {2, 3, 4, 8}) {
    const Codes codes = random_codes(32, 64, bits, 32, true);
    const MemoryCheckpoint checkpoint(
        gptq().write("m", codes, settings_for(codes, true, "gptq_v2")));
    const Json config = gptq().config(settings_for(codes, true, "gptq"));
    const auto modules = gptq().open(checkpoint, config);
    EXPECT_EQ(codes_of(*modules->open("m")).zeros, codes.zeros) << bits;
    ASSERT_EQ(modules->notes().size(), 1u) << bits;
    EXPECT_NE(modules->notes()[0].find("read as gptq_v2"), std::string::npos);
    const auto findings = gptq().check(checkpoint, config);
    EXPECT_TRUE(std::none_of(findings.begin(), findings.end(),
                             [](const Finding& finding) { return finding.error; }));
    EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                            [](const Finding& finding) { return finding.rule == "gptq.dialect"; }));
  }
}

TEST(Gptq, BelievesTheConfigWhereTheZerosAreNotAllThoseOfTheSecondDialect) {
  const Codes first = random_codes(32, 64, 4, 32, true);
  const MemoryCheckpoint v1(gptq().write("m", first, settings_for(first, true, "gptq")));
  EXPECT_TRUE(gptq().open(v1, gptq().config(settings_for(first, true, "gptq")))->notes().empty());
  // Middle plus one everywhere, but the config does not say that the grid is symmetric.
  Codes shifted = first;
  for (float& zero : shifted.zeros) zero = 9;
  const LayoutSettings asymmetric = settings_for(shifted, false, "gptq");
  const MemoryCheckpoint other(gptq().write("m", shifted, asymmetric));
  const auto modules = gptq().open(other, gptq().config(asymmetric));
  EXPECT_EQ(codes_of(*modules->open("m")).zeros, shifted.zeros);
  EXPECT_TRUE(modules->notes().empty());
}

}  // namespace
}  // namespace nibble
