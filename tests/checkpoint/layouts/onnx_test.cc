#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/sample_codes.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;

const Layout& onnx() { return layouts::named("onnx"); }

LayoutSettings settings_of(const CodeShape& shape, bool symmetric) {
  LayoutSettings settings;
  settings.base = {shape.grid, shape.group_size};
  settings.symmetric = symmetric;
  return settings;
}

std::vector<int> values(const NamedBytes& tensor) {
  std::vector<int> out;
  for (const std::byte byte : tensor.bytes) out.push_back(std::to_integer<int>(byte));
  return out;
}

// One row of 20 codes in groups of 16: two blocks, the second mostly empty.
Codes two_blocks() {
  Codes codes = make_codes(grids::uniform(4), 1, 20, 16);
  for (std::size_t i = 0; i < 20; ++i) codes.codes[i] = static_cast<std::uint8_t>(i % 16);
  codes.scales = {0.5f, -2};
  codes.zeros = {3, 9};
  return codes;
}

TEST(OnnxLayout, PacksTheFirstCodeLowestAndFillsRowsUpWithZeros) {
  const Codes codes = two_blocks();
  const auto tensors = onnx().write("m", codes, settings_of(codes, false));
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].info.name, "m.weight_Q4");
  EXPECT_EQ(tensors[0].info.shape, (std::vector<std::int64_t>{1, 2, 8}));
  EXPECT_EQ(values(tensors[0]), (std::vector<int>{0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE,
                                                  0x10, 0x32, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(tensors[1].info.name, "m.weight_scales");
  EXPECT_EQ(std::memcmp(tensors[1].bytes.data(), codes.scales.data(), 8), 0);
  EXPECT_EQ(tensors[2].info.name, "m.weight_zero_points");
  EXPECT_EQ(values(tensors[2]), (std::vector<int>{0x93}));
}

TEST(OnnxLayout, OfTwoBitsFourLieInAByte) {
  Codes codes = make_codes(grids::uniform(2), 2, 48, 16);
  for (std::size_t i = 0; i < codes.codes.size(); ++i)
    codes.codes[i] = static_cast<std::uint8_t>(i % 4);
  codes.scales.assign(6, 1);
  codes.zeros = {0, 1, 2, 3, 2, 1};
  const auto tensors = onnx().write("m", codes, settings_of(codes, false));
  EXPECT_EQ(values(tensors[0]), std::vector<int>(24, 0xE4));
  EXPECT_EQ(tensors[2].info.shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(values(tensors[2]), (std::vector<int>{0x24, 0x1B}));
}

TEST(OnnxLayout, LeavesZerosOutWhereAllAreTheMiddle) {
  Codes codes = two_blocks();
  EXPECT_NE(error_text([&] {
              onnx().write("m", codes, settings_of(codes, true));
            }).find("zero 3 cannot be stored"),
            std::string::npos);
  codes.zeros = {8, 8};
  const auto tensors = onnx().write("m", codes, settings_of(codes, true));
  EXPECT_EQ(tensors.size(), 2u);
  EXPECT_EQ(onnx().unpack(codes, tensors).zeros, codes.zeros);
}

TEST(OnnxLayout, AGroupMayBeSeveralBlocks) {
  for (const auto& [group, columns, block] :
       std::vector<std::array<std::size_t, 3>>{{48, 96, 16},   // no power of two
                                               {64, 100, 64},  // the last one shorter
                                               {512, 1024, 128},
                                               {256, 1024, 256},
                                               {100, 100, 128},  // whole rows
                                               {10, 10, 16},
                                               {576, 576, 128}}) {
    CodeShape shape = code_shape(3, columns, {&grids::uniform(4), group});
    EXPECT_EQ(onnx().refusal(shape), "") << group;
    const LayoutSettings settings = settings_of(shape, false);
    const Codes codes = test::sample_codes(shape, onnx().storable(shape, settings));
    const auto tensors = onnx().write("m", codes, settings);
    EXPECT_EQ(tensors[0].info.shape[2], static_cast<std::int64_t>(block / 2)) << group;
    const Codes found = onnx().unpack(shape, tensors);
    EXPECT_EQ(found.codes, codes.codes) << group;
    EXPECT_EQ(found.scales, codes.scales) << group;
    EXPECT_EQ(found.zeros, codes.zeros) << group;
  }
}

TEST(OnnxLayout, BlocksOfOneGroupThatDifferAreSeen) {
  CodeShape shape = code_shape(1, 96, {&grids::uniform(4), 48});
  const LayoutSettings settings = settings_of(shape, false);
  auto tensors =
      onnx().write("m", test::sample_codes(shape, onnx().storable(shape, settings)), settings);
  tensors[1].bytes[4] ^= std::byte{1};
  EXPECT_NE(error_text([&] { onnx().unpack(shape, tensors); }).find("group 0 of row 0"),
            std::string::npos);
}

TEST(OnnxLayout, RefusesWhatTheOperatorDoesNotTake) {
  const auto refusal = [](const Grid& grid, std::size_t group) {
    return onnx().refusal(code_shape(8, 240, {&grid, group}));
  };
  EXPECT_EQ(refusal(grids::uniform(4), 16), "");
  for (const char* name : {"int3", "int5", "int6", "nf4", "fp8"})
    EXPECT_NE(refusal(*grids::find(name), 16).find(name), std::string::npos) << name;
  EXPECT_NE(refusal(grids::uniform(4), 24).find("groups of 24"), std::string::npos);
  EXPECT_NE(refusal(grids::uniform(8), 8).find("groups of 8"), std::string::npos);
}

TEST(OnnxLayout, WarnsWhereTheLevelIsNotApplied) {
  const auto count = [](int bits, std::size_t group, const char* dialect) {
    LayoutSettings settings;
    settings.dialect = dialect;
    const std::vector<ShapedModule> modules = {{"m", 8, 512, {&grids::uniform(bits), group}}};
    return onnx().consumers(modules, settings).size();
  };
  EXPECT_EQ(count(2, 16, "accuracy-4"), 1u);
  EXPECT_EQ(count(2, 256, "accuracy-4"), 1u);
  EXPECT_EQ(count(2, 32, "accuracy-4"), 0u);
  EXPECT_EQ(count(4, 16, "accuracy-4"), 0u);
  EXPECT_EQ(count(2, 16, "accuracy-0"), 0u);
}

// The nodes that products become, asked for by a model of one matrix of each kind.
std::vector<OnnxNode> products(const std::string& dialect) {
  const Codes codes = two_blocks();
  LayoutSettings settings = settings_of(codes, false);
  settings.dialect = dialect;
  Json config = Json::object();
  OutputModel model;
  model.config = &config;
  model.tensors = onnx().plan("packed", codes, settings);
  model.tensors.push_back({"half.weight", DType::kBF16, {2, 20}, 80});
  model.tensors.push_back({"single.weight", DType::kF32, {2, 20}, 160});
  std::vector<OnnxNode> nodes;
  model.onnx = [&](const OnnxProduct& product) {
    OnnxModel graph;
    product(graph, {"packed", 1, 20}, "x", "a");
    product(graph, {"half", 2, 20}, "x", "b");
    product(graph, {"single", 2, 20}, "x", "c");
    nodes = graph.nodes;
    return graph;
  };
  const test::TempDir dir;
  onnx().create(onnx(), settings, dir / "out", model, {});
  return nodes;
}

TEST(OnnxLayout, WritesAProductByWhatItsMatrixIs) {
  const auto nodes = products("accuracy-0");
  ASSERT_EQ(nodes.size(), 4u);
  EXPECT_EQ(nodes[0].op, "MatMulNBits");
  EXPECT_EQ(nodes[0].inputs,
            (std::vector<std::string>{"x", "packed.weight_Q4", "packed.weight_scales",
                                      "packed.weight_zero_points"}));
  const auto number = [](const OnnxAttribute& attribute) {
    return std::get<std::int64_t>(attribute.value);
  };
  ASSERT_EQ(nodes[0].attributes.size(), 4u);      // no accuracy_level
  EXPECT_EQ(number(nodes[0].attributes[0]), 20);  // K
  EXPECT_EQ(number(nodes[0].attributes[1]), 1);   // N
  EXPECT_EQ(number(nodes[0].attributes[2]), 4);   // bits
  EXPECT_EQ(number(nodes[0].attributes[3]), 16);  // block_size
  EXPECT_EQ(nodes[1].op, "Cast");
  EXPECT_EQ(nodes[2].op, "FusedMatMul");
  EXPECT_EQ(nodes[2].inputs[1], nodes[1].outputs[0]);
  EXPECT_EQ(nodes[3].op, "FusedMatMul");
  EXPECT_EQ(nodes[3].inputs[1], "single.weight");
}

TEST(OnnxLayout, TheDialectIsTheAccuracyLevel) {
  const auto nodes = products("accuracy-4");
  EXPECT_EQ(nodes[0].attributes.back().name, "accuracy_level");
  EXPECT_EQ(std::get<std::int64_t>(nodes[0].attributes.back().value), 4);
}

TEST(OnnxLayout, IsWrittenAndNotRead) {
  EXPECT_FALSE(onnx().opens());
  EXPECT_EQ(onnx().foreign_file, "model.onnx");
}

}  // namespace
}  // namespace nibble
