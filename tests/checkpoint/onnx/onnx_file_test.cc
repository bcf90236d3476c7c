#include "checkpoint/onnx/onnx_file.h"

#include <gtest/gtest.h>

#include "nibble/error.h"
#include "support/error_text.h"
#include "support/protobuf_reader.h"

namespace nibble {
namespace {

using test::Fields;
using test::read_fields;

OnnxModel sample() {
  OnnxModel model;
  model.nodes.push_back({"Mul",
                         "their.domain",
                         {"x", "w"},
                         {"y"},
                         {{"i", std::int64_t{-2}},
                          {"f", 0.5f},
                          {"s", std::string("tanh")},
                          {"l", std::vector<std::int64_t>{3, 4}}}});
  model.inputs = {{"x", DType::kI64, {"batch", std::int64_t{5}}}};
  model.outputs = {{"y", DType::kF32, {std::int64_t{1}}}};
  model.own.push_back({{"small", DType::kI64, {1}, 8}, std::vector<std::byte>(8), true});
  return model;
}

const OnnxPlace kPlace{{"w", DType::kU8, {2, 3}, 6}, 4096};

TEST(OnnxFile, HasVersionsAndEveryDomain) {
  const Fields file = read_fields(onnx_file(sample(), {&kPlace, 1}, "data"));
  EXPECT_EQ(file.integer(1), 10);  // ir_version
  EXPECT_EQ(file.text(2), "nibble");
  const auto sets = file.texts(8);
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(read_fields(sets[0]).text(1), "");
  EXPECT_EQ(read_fields(sets[0]).integer(2), 23);
  EXPECT_EQ(read_fields(sets[1]).text(1), "their.domain");
  EXPECT_EQ(read_fields(sets[1]).integer(2), 1);
}

TEST(OnnxFile, HasNodesWithTheirAttributes) {
  const Fields graph = read_fields(read_fields(onnx_file(sample(), {}, "data")).text(7));
  const Fields node = read_fields(graph.text(1));
  EXPECT_EQ(node.texts(1), (std::vector<std::string>{"x", "w"}));
  EXPECT_EQ(node.text(2), "y");
  EXPECT_EQ(node.text(4), "Mul");
  EXPECT_EQ(node.text(7), "their.domain");
  const auto attributes = node.texts(5);
  ASSERT_EQ(attributes.size(), 4u);
  EXPECT_EQ(read_fields(attributes[0]).integer(3), -2);
  EXPECT_EQ(read_fields(attributes[0]).integer(20), 2);
  EXPECT_EQ(read_fields(attributes[1]).integer(2), 0x3F000000);
  EXPECT_EQ(read_fields(attributes[1]).integer(20), 1);
  EXPECT_EQ(read_fields(attributes[2]).text(4), "tanh");
  EXPECT_EQ(read_fields(attributes[2]).integer(20), 3);
  EXPECT_EQ(read_fields(attributes[3]).integers(8), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(read_fields(attributes[3]).integer(20), 7);
}

TEST(OnnxFile, SaysWhereTensorsLie) {
  const Fields graph = read_fields(read_fields(onnx_file(sample(), {&kPlace, 1}, "data")).text(7));
  const auto tensors = graph.texts(5);
  ASSERT_EQ(tensors.size(), 2u);
  const Fields outside = read_fields(tensors[0]);
  EXPECT_EQ(outside.integers(1), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(outside.integer(2), 2);  // uint8
  EXPECT_EQ(outside.text(8), "w");
  EXPECT_EQ(outside.integer(14), 1);  // external
  std::vector<std::string> entries;
  for (const std::string& entry : outside.texts(13))
    entries.push_back(read_fields(entry).text(1) + "=" + read_fields(entry).text(2));
  EXPECT_EQ(entries, (std::vector<std::string>{"location=data", "offset=4096", "length=6"}));
  const Fields inside = read_fields(tensors[1]);
  EXPECT_EQ(inside.text(8), "small");
  EXPECT_EQ(inside.text(9), std::string(8, '\0'));
}

TEST(OnnxFile, NamesSizesThatMayBeAnything) {
  const Fields graph = read_fields(read_fields(onnx_file(sample(), {}, "data")).text(7));
  const Fields input = read_fields(graph.text(11));
  EXPECT_EQ(input.text(1), "x");
  const Fields tensor = read_fields(read_fields(input.text(2)).text(1));
  EXPECT_EQ(tensor.integer(1), 7);  // int64
  const auto sizes = read_fields(tensor.text(2)).texts(1);
  ASSERT_EQ(sizes.size(), 2u);
  EXPECT_EQ(read_fields(sizes[0]).text(2), "batch");
  EXPECT_EQ(read_fields(sizes[1]).integer(1), 5);
}

TEST(OnnxFile, RefusesATypeThatHasNoNumber) {
  const OnnxPlace place{{"w", DType::kF8E8M0, {2}, 2}, 0};
  EXPECT_NE(test::error_text([&] {
              onnx_file(sample(), {&place, 1}, "data");
            }).find("in an ONNX"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
