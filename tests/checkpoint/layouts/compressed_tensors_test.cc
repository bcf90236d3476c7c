#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
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

const Layout& layout() { return layouts::named("compressed-tensors"); }

LayoutSettings settings_for(std::string_view grid, std::size_t group, bool symmetric,
                            std::string_view dialect = "pack-quantized") {
  LayoutSettings settings;
  settings.base = {&grids::named(grid), group};
  settings.symmetric = symmetric;
  settings.dialect = dialect;
  return settings;
}

Codes codes_for(const LayoutSettings& settings, std::size_t rows, std::size_t columns) {
  const CodeShape shape = code_shape(rows, columns, settings.base);
  Codes codes = sample_codes(shape, layout().storable(shape, settings));
  if (settings.symmetric)
    std::fill(codes.zeros.begin(), codes.zeros.end(), static_cast<float>(1 << (shape.bits() - 1)));
  return codes;
}

Codes read(std::vector<NamedBytes> tensors, const Json& config) {
  const MemoryCheckpoint checkpoint(std::move(tensors));
  return codes_of(*layout().open(checkpoint, config)->open("m"));
}

std::vector<std::string> notes_of(std::vector<NamedBytes> tensors, const Json& config) {
  const MemoryCheckpoint checkpoint(std::move(tensors));
  const auto modules = layout().open(checkpoint, config);
  return {modules->notes().begin(), modules->notes().end()};
}

template <typename Value>
std::vector<Value> values_of(const NamedBytes& tensor) {
  std::vector<Value> values(tensor.bytes.size() / sizeof(Value));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

const NamedBytes& named(const std::vector<NamedBytes>& tensors, std::string_view name) {
  for (const NamedBytes& tensor : tensors)
    if (tensor.info.name == name) return tensor;
  throw Error(ErrorKind::kInvalidArgument, cat("no tensor ", name));
}

// 32 codes k mod 2^b in a row, zero and scale the same everywhere.
Codes counting(int bits, std::size_t rows, float zero) {
  Codes codes = make_codes(grids::uniform(bits), rows, 32, 32);
  for (std::size_t o = 0; o < rows; ++o)
    for (std::size_t i = 0; i < 32; ++i)
      codes.row(o)[i] = static_cast<std::uint8_t>(i % (std::size_t{1} << std::min(bits, 3)));
  std::fill(codes.zeros.begin(), codes.zeros.end(), zero);
  std::fill(codes.scales.begin(), codes.scales.end(), 1.0f);
  return codes;
}

using Words = std::vector<std::uint32_t>;

// The words are those that the package's own packing gives for −8 … −1 and for k mod 8 − 4.
TEST(CompressedTensors, PacksCodesAsTheFieldDoes) {
  const auto four = layout().write("m", counting(4, 1, 8), settings_for("int4", 32, true));
  EXPECT_EQ(values_of<std::uint32_t>(four[0]), Words(4, 0x76543210));
  const auto three = layout().write("m", counting(3, 1, 4), settings_for("int3", 32, true));
  EXPECT_EQ(values_of<std::uint32_t>(three[0]), (Words{0x88FAC688, 0xC688FAC6, 0xFAC688FA}));
  EXPECT_EQ(values_of<std::int64_t>(named(three, "m.weight_shape")),
            (std::vector<std::int64_t>{1, 32}));
  EXPECT_EQ(values_of<std::uint16_t>(named(three, "m.weight_scale")),
            (std::vector<std::uint16_t>{0x3F80}));  // bfloat16, as the model's weights
}

TEST(CompressedTensors, PacksZerosAlongTheOutputs) {
  Codes codes = counting(4, 12, 8);
  for (std::size_t o = 0; o < 12; ++o) codes.zeros[o] = static_cast<float>(o);
  const auto tensors = layout().write("m", codes, settings_for("int4", 32, false));
  const NamedBytes& zeros = named(tensors, "m.weight_zero_point");
  EXPECT_EQ(zeros.info.shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(values_of<std::uint32_t>(zeros), (Words{0x76543210, 0x0000BA98}));
}

TEST(CompressedTensors, BytesAreCodesLessTheMiddle) {
  Codes codes = counting(8, 1, 128);
  codes.row(0)[0] = 0;
  codes.row(0)[1] = 255;
  const auto tensors = layout().write("m", codes, settings_for("int8", 0, true, "int-quantized"));
  const auto bytes = values_of<std::int8_t>(tensors[0]);
  EXPECT_EQ(bytes[0], -128);
  EXPECT_EQ(bytes[1], 127);
  EXPECT_EQ(bytes[2], 2 - 128);
  EXPECT_EQ(tensors[0].info.name, "m.weight");
  EXPECT_EQ(tensors.size(), 2u);
}

// 20 outputs and 40 inputs fill neither the words of zeros nor the last words of rows.
TEST(CompressedTensors, MatricesThatFillNoBlockComeBack) {
  for (const std::string_view dialect : layout().dialects)
    for (const std::string_view grid : {"int2", "int3", "int4", "int5", "int6", "int8"})
      for (const bool symmetric : {true, false})
        for (const std::size_t group : {0, 8}) {
          const LayoutSettings settings = settings_for(grid, group, symmetric, dialect);
          const Codes codes = codes_for(settings, 20, 40);
          const Codes found = read(layout().write("m", codes, settings), layout().config(settings));
          EXPECT_EQ(found.codes, codes.codes) << dialect << grid << group;
          EXPECT_EQ(found.scales, codes.scales) << dialect << grid << group;
          EXPECT_EQ(found.zeros, codes.zeros) << dialect << grid << group;
        }
}

TEST(CompressedTensors, ScalesHaveTheTypeOfTheModelsWeights) {
  for (const DType type : {DType::kF16, DType::kBF16, DType::kF32}) {
    LayoutSettings settings = settings_for("int4", 32, true);
    settings.dtype = type;
    const Codes codes = codes_for(settings, 8, 64);
    const auto tensors = layout().write("m", codes, settings);
    EXPECT_EQ(named(tensors, "m.weight_scale").info.dtype, type);
    EXPECT_EQ(read(tensors, layout().config(settings)).scales, codes.scales);
  }
}

TEST(CompressedTensors, ModulesThatDifferAreGroupsOfTheirOwn) {
  LayoutSettings settings = settings_for("int4", 32, true);
  const ModuleSettings other = {&grids::named("int8"), 0};
  settings.overrides = {{"m", other}, {"n", settings.base}, {"o", other}};
  settings.skipped = {"p"};
  const Json config = layout().config(settings);
  EXPECT_EQ(config["config_groups"].size(), 2u);
  EXPECT_EQ(config["config_groups"]["group_1"]["targets"], Json::array({"m", "o"}));
  EXPECT_EQ(config["config_groups"]["group_1"]["weights"]["strategy"], "channel");
  EXPECT_EQ(config["ignore"], Json::array({"p", "lm_head"}));
  LayoutSettings own = settings;
  own.base = other;
  const Codes codes = codes_for(own, 8, 64);
  EXPECT_EQ(read(layout().write("m", codes, own), config).codes, codes.codes);
}

// A name comes before an expression, an expression before a class, whatever their order.
TEST(CompressedTensors, TheNearestTargetCounts) {
  const LayoutSettings settings = settings_for("int3", 32, true);
  const Codes codes = codes_for(settings, 8, 64);
  Json config = layout().config(settings);
  const Json three = config["config_groups"]["group_0"];
  Json eight = three;
  eight["weights"]["num_bits"] = 8;
  const auto found = [&](const char* first, const char* second) {
    Json groups = Json::object();
    groups["a"] = eight;
    groups["a"]["targets"] = Json::array({first});
    groups["b"] = three;
    groups["b"]["targets"] = Json::array({second});
    config["config_groups"] = groups;
    return read(layout().write("m", codes, settings), config).codes == codes.codes;
  };
  EXPECT_TRUE(found("Linear", "re:.*m"));
  EXPECT_TRUE(found("re:.*", "m"));
  EXPECT_TRUE(found("Linear", "m"));
}

TEST(CompressedTensors, FoldersSavedAfterUseAreReadAsTheyAre) {
  const LayoutSettings settings = settings_for("int4", 32, true);
  Json config = layout().config(settings);
  config["quantization_status"] = "decompressed";
  auto tensors = layout().write("m", codes_for(settings, 8, 64), settings);
  tensors[0] = {{"m.weight", DType::kBF16, {8, 64}, 1024}, std::vector<std::byte>(1024)};
  const MemoryCheckpoint checkpoint(tensors);
  EXPECT_FALSE(layout().open(checkpoint, config)->holds("m"));
  const auto notes = notes_of(tensors, config);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("decompressed and saved so"), std::string::npos) << notes[0];
}

TEST(CompressedTensors, PackedWeightsWithoutTheirStatusAreReadWithANote) {
  const LayoutSettings settings = settings_for("int4", 32, true);
  const auto tensors = layout().write("m", codes_for(settings, 8, 64), settings);
  Json config = layout().config(settings);
  EXPECT_TRUE(notes_of(tensors, config).empty());
  config.erase("quantization_status");
  ASSERT_EQ(notes_of(tensors, config).size(), 1u);
  EXPECT_NE(notes_of(tensors, config)[0].find("\"quantization_status\" is not told"),
            std::string::npos);
}

TEST(CompressedTensors, TheNameOfWhatIsNotReadIsTold) {
  const LayoutSettings settings = settings_for("int4", 32, true);
  const auto refusal = [&](auto change) {
    Json config = layout().config(settings);
    change(config);
    return error_text([&] { notes_of({}, config); });
  };
  const auto weights = [](Json& config) -> Json& {
    return config["config_groups"]["group_0"]["weights"];
  };
  EXPECT_NE(refusal([&](Json& c) { weights(c)["type"] = "posit"; }).find("of type posit"),
            std::string::npos);
  EXPECT_NE(refusal([&](Json& c) {
              weights(c)["type"] = "float";
              weights(c)["num_bits"] = 6;
            }).find("floats of 6 bits"),
            std::string::npos);
  EXPECT_NE(refusal([&](Json& c) { weights(c)["strategy"] = "block"; }).find("\"block\""),
            std::string::npos);
  EXPECT_NE(refusal([&](Json& c) { weights(c)["group_size"] = nullptr; }).find("group_size"),
            std::string::npos);
  EXPECT_NE(refusal([](Json& c) {
              c["sparsity_config"] = {{"format", "sparse-24-bitmask"}};
            }).find("sparse-24-bitmask"),
            std::string::npos);
  EXPECT_NE(refusal([](Json& c) {
              c["transform_config"]["config_groups"]["u"] = Json::object();
            }).find("transform_config"),
            std::string::npos);
  EXPECT_NE(refusal([](Json& c) {
              c["config_groups"] = {{"W4A16", Json::array({"Linear"})}};
            }).find("W4A16"),
            std::string::npos);
}

TEST(CompressedTensors, BrokenTensorsAreNamed) {
  const LayoutSettings settings = settings_for("int3", 32, false);
  const auto tensors = layout().write("m", codes_for(settings, 32, 64), settings);
  const Json config = layout().config(settings);
  const auto refusal = [&](std::string_view name, auto change) {
    auto broken = tensors;
    for (NamedBytes& tensor : broken)
      if (tensor.info.name == name) change(tensor);
    return error_text([&] { read(broken, config); });
  };
  // 64 codes of 3 bits, ten to a word.
  EXPECT_NE(refusal("m.weight_packed",
                    [](NamedBytes& tensor) {
                      tensor.info.shape[1] = 7;
                      tensor.bytes.resize(32 * 7 * 4);
                    })
                .find("10 to a word"),
            std::string::npos);
  EXPECT_NE(refusal("m.weight_shape", [](NamedBytes& tensor) { tensor.bytes[0] = std::byte{9}; })
                .find("weight_shape is [9, 64]"),
            std::string::npos);
  EXPECT_NE(refusal("m.weight_scale", [](NamedBytes& tensor) { tensor.info.dtype = DType::kI8; })
                .find("weight_scale has type I8"),
            std::string::npos);
  EXPECT_NE(refusal("m.weight_scale",
                    [](NamedBytes& tensor) {
                      tensor.bytes[1] = std::byte{0x7F}, tensor.bytes[0] = std::byte{0x80};
                    })
                .find("non-finite"),
            std::string::npos);
  EXPECT_NE(
      refusal("m.weight_zero_point", [](NamedBytes& tensor) { tensor.info.name = "m.elsewhere"; })
          .find("weight_zero_point"),
      std::string::npos);
}

// "actorder": "group", of which −1 in each place is a rest.
TEST(CompressedTensors, GroupsOfOlderFilesInAnOrderOfTheirOwnAreRead) {
  const LayoutSettings settings = settings_for("int4", 32, true);
  const auto with_index = [&](std::vector<std::int32_t> index) {
    auto tensors = layout().write("m", codes_for(settings, 8, 64), settings);
    NamedBytes own{{"m.weight_g_idx", DType::kI32, {64}, 256}, std::vector<std::byte>(256)};
    std::memcpy(own.bytes.data(), index.data(), 256);
    tensors.push_back(std::move(own));
    return tensors;
  };
  std::vector<std::int32_t> index(64);
  for (std::size_t i = 0; i < 64; ++i) index[i] = i % 2;
  const Json config = layout().config(settings);
  EXPECT_EQ(read(with_index(index), config).group_index, index);
  EXPECT_TRUE(read(with_index(std::vector<std::int32_t>(64, -1)), config).group_index.empty());
  index[5] = 2;
  EXPECT_NE(error_text([&] { read(with_index(index), config); }).find("weight_g_idx[5] is 2"),
            std::string::npos);
}

TEST(CompressedTensors, OneScaleMayServeAWholeMatrix) {
  const LayoutSettings settings = settings_for("int8", 0, true, "int-quantized");
  auto tensors = layout().write("m", codes_for(settings, 8, 64), settings);
  Json config = layout().config(settings);
  config["config_groups"]["group_0"]["weights"]["strategy"] = "tensor";
  const float scale = 0.5f;
  tensors[1] = {{"m.weight_scale", DType::kF32, {1}, 4}, std::vector<std::byte>(4)};
  std::memcpy(tensors[1].bytes.data(), &scale, 4);
  EXPECT_EQ(read(tensors, config).scales, std::vector<float>(8, 0.5f));
}

TEST(CompressedTensors, ABytesRangeIsThatOfItsGrid) {
  const LayoutSettings settings = settings_for("int4", 32, true, "int-quantized");
  auto tensors = layout().write("m", codes_for(settings, 8, 64), settings);
  tensors[0].bytes[5] = std::byte{8};
  EXPECT_NE(error_text([&] { read(tensors, layout().config(settings)); }).find("a weight is 8"),
            std::string::npos);
}

TEST(CompressedTensors, RefusesToWriteAZeroOfItsOwnIntoASymmetricFile) {
  const LayoutSettings settings = settings_for("int4", 32, true);
  Codes codes = codes_for(settings, 8, 64);
  codes.zeros[3] = 5;
  EXPECT_NE(error_text([&] { layout().write("m", codes, settings); }).find("zero 5 cannot"),
            std::string::npos);
}

std::vector<std::string> rules_of(const LayoutSettings& settings, std::size_t rows = 256) {
  std::vector<ShapedModule> modules = {{"q_proj", rows, 256, settings.base}};
  std::vector<std::string> rules;
  for (const Finding& finding : layout().consumers(modules, settings)) {
    EXPECT_FALSE(finding.error);
    rules.push_back(finding.rule);
  }
  return rules;
}

TEST(CompressedTensors, ReadersThatRefuseAreTold) {
  using Rules = std::vector<std::string>;
  EXPECT_EQ(rules_of(settings_for("int4", 128, true)), Rules{});
  EXPECT_EQ(rules_of(settings_for("int3", 128, true)), Rules{"vllm.bits"});
  EXPECT_EQ(rules_of(settings_for("int8", 0, true)), Rules{"vllm.cpu.bits"});
  EXPECT_EQ(rules_of(settings_for("int4", 128, false)),
            (Rules{"transformers.symmetric", "vllm.cpu.symmetric"}));
  EXPECT_EQ(rules_of(settings_for("int4", 128, true), 96), Rules{"vllm.shape"});
  EXPECT_EQ(rules_of(settings_for("int8", 0, true, "int-quantized")), Rules{});
  EXPECT_EQ(rules_of(settings_for("int8", 64, true, "int-quantized")), Rules{"vllm.group_size"});
}

TEST(CompressedTensors, AFloatLayerThatIsNotIgnoredIsAnError) {
  const LayoutSettings settings = settings_for("int4", 32, true);
  auto tensors = layout().write("m", codes_for(settings, 8, 64), settings);
  tensors.push_back(
      {{"lm_head.weight", DType::kBF16, {8, 64}, 1024}, std::vector<std::byte>(1024)});
  const MemoryCheckpoint checkpoint(tensors);
  Json config = layout().config(settings);
  const auto errors = [&] {
    std::size_t count = 0;
    for (const Finding& finding : layout().check(checkpoint, config)) count += finding.error;
    return count;
  };
  EXPECT_EQ(errors(), 0u);
  config["ignore"] = Json::array();
  EXPECT_EQ(errors(), 1u);
}

}  // namespace
}  // namespace nibble
