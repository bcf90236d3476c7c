#include <gtest/gtest.h>

#include <cstring>
#include <map>
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

const Layout& hqq() { return layouts::named("hqq"); }

template <typename Value>
NamedBytes tensor(const std::string& name, DType type, std::vector<Value> values,
                  std::vector<std::int64_t> shape = {}) {
  NamedBytes named{{"m." + name, type, std::move(shape), values.size() * sizeof(Value)}, {}};
  named.bytes.resize(named.info.bytes);
  std::memcpy(named.bytes.data(), values.data(), named.info.bytes);
  return named;
}

NamedBytes number(const std::string& name, std::int32_t value) {
  return tensor<std::int32_t>(name, DType::kI32, {value});
}

// As the library packs: rows of groups, those a whole part apart in one element, the first highest.
std::vector<NamedBytes> packed(const Codes& codes) {
  const std::size_t rows = codes.rows * codes.groups(), group = codes.group_size;
  const int bits = codes.bits();
  const std::size_t fields = bits == 3 ? 10 : bits == 4 ? 2 : bits == 2 ? 4 : 1;
  const std::size_t apart = (rows + fields - 1) / fields;
  std::vector<std::uint32_t> elements(apart * group);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t i = 0; i < group; ++i)
      elements[row % apart * group + i] |= std::uint32_t{codes.codes[row * group + i]}
                                           << (bits * static_cast<int>(fields - 1 - row / apart));
  const auto size = [](std::size_t value) { return static_cast<std::int64_t>(value); };
  std::vector<NamedBytes> tensors = {
      number("nbits", bits),
      number("axis", 1),
      number("group_size", static_cast<int>(group)),
      tensor<std::int64_t>("shape", DType::kI64, {size(codes.rows), size(codes.columns)}, {2}),
      tensor<float>("scale", DType::kF32, codes.scales, {size(rows), 1}),
      tensor<float>("zero", DType::kF32, codes.zeros, {size(rows), 1}),
      tensor<std::uint8_t>("view_as_float", DType::kU8, {0})};
  if (bits == 3)
    tensors.push_back(tensor("W_q", DType::kI32, elements, {size(apart), size(group)}));
  else
    tensors.push_back(tensor("W_q", DType::kU8,
                             std::vector<std::uint8_t>(elements.begin(), elements.end()),
                             {size(apart), size(group)}));
  return tensors;
}

Codes codes_for(int bits) {
  Storable storable;
  storable.scale_type = DType::kF32;
  Codes codes = test::sample_codes(code_shape(20, 48, {&grids::uniform(bits), 24}), storable);
  for (float& zero : codes.zeros) zero += 0.25f;
  return codes;
}

Codes read(std::vector<NamedBytes> tensors) {
  const MemoryCheckpoint checkpoint(std::move(tensors));
  return codes_of(*hqq().open(checkpoint, {})->open("m"));
}

TEST(Hqq, EachWidthIsReadWithItsFreeZeros) {
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    const Codes codes = codes_for(bits);
    const Codes found = read(packed(codes));
    EXPECT_EQ(found.codes, codes.codes) << bits;
    EXPECT_EQ(found.scales, codes.scales) << bits;
    EXPECT_EQ(found.zeros, codes.zeros) << bits;
  }
}

// The published packing vector: a row of code 1 over a row of code 2.
TEST(Hqq, TheFirstHalfOfTheRowsIsInTheHighBits) {
  Codes codes = make_codes(grids::uniform(4), 2, 1, 1);
  codes.codes = {1, 2};
  auto tensors = packed(codes);
  EXPECT_EQ(tensors.back().bytes, std::vector<std::byte>{std::byte{0x12}});
  EXPECT_EQ(read(std::move(tensors)).codes, codes.codes);
}

TEST(Hqq, TensorsAloneTellOfIt) {
  const MemoryCheckpoint checkpoint(packed(codes_for(4)));
  const Json config = layouts::with_side_config({{"model_type", "llama"}}, "", checkpoint);
  ASSERT_NE(layouts::claiming(config), nullptr);
  EXPECT_EQ(layouts::claiming(config)->name, "hqq");
  EXPECT_TRUE(hqq().open(checkpoint, {})->holds("m"));
  const auto findings = hqq().check(checkpoint, {});
  ASSERT_EQ(findings.size(), 1u);  // what a reader does of any such folder
  EXPECT_FALSE(findings.front().error);
  EXPECT_EQ(findings.front().rule, "transformers.hqq");
}

TEST(Hqq, WhatIsBrokenOrNotReadIsNamed) {
  const auto refusal = [](std::string_view name, NamedBytes other) {
    auto tensors = packed(codes_for(4));
    for (NamedBytes& tensor : tensors)
      if (tensor.info.name == name) tensor = other;
    return error_text([&] { read(tensors); });
  };
  EXPECT_NE(refusal("m.axis", number("axis", 0)).find("axis 0"), std::string::npos);
  EXPECT_NE(refusal("m.nbits", number("nbits", 1)).find("codes of 1 bits"), std::string::npos);
  EXPECT_NE(refusal("m.nbits", number("nbits", 9)).find("its nbits is 9"), std::string::npos);
  EXPECT_NE(refusal("m.nbits", tensor<float>("nbits", DType::kF32, {1.58f})).find("has type F32"),
            std::string::npos);
  EXPECT_NE(refusal("m.group_size", number("group_size", 32)).find("cross from row to row"),
            std::string::npos);
  EXPECT_NE(refusal("m.group_size", number("group_size", 12)).find("expected"), std::string::npos);
  EXPECT_NE(refusal("m.view_as_float", tensor<std::uint8_t>("view_as_float", DType::kU8, {1}))
                .find("view_as_float is set"),
            std::string::npos);
}

// What the library's own loader asks for, by its names.
TEST(Hqq, WritesEveryMemberThatTheLibraryLoads) {
  LayoutSettings settings;
  settings.dtype = DType::kF16;
  std::map<std::string, std::string> texts;
  for (const NamedBytes& tensor : hqq().write("m", codes_for(3), settings)) {
    texts[tensor.info.name].assign(reinterpret_cast<const char*>(tensor.bytes.data()),
                                   tensor.bytes.size());
  }
  for (const char* name : {"W_q", "nbits", "group_size", "shape", "scale", "zero", "axis",
                           "packing", "unpack_view_dtype", "view_as_float", "quant_scale",
                           "quant_zero", "compute_dtype", "offload_meta", "encoded_state_dict",
                           "stores_quant_config", "channel_wise", "optimize", "round_zero"})
    EXPECT_TRUE(texts.contains(cat("m.", name))) << name;
  EXPECT_EQ(texts.size(), 19u);
  EXPECT_EQ(texts["m.packing"], "3bit_32");
  EXPECT_EQ(texts["m.unpack_view_dtype"], "torch.int32");
  EXPECT_EQ(texts["m.compute_dtype"], "torch.float16");
}

TEST(Hqq, CodesLieAsTheLibraryPacksThem) {
  LayoutSettings settings;
  settings.dtype = DType::kF32;
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    const Codes codes = codes_for(bits);
    EXPECT_EQ(hqq().write("m", codes, settings).front().bytes, packed(codes).back().bytes) << bits;
  }
}

TEST(Hqq, RefusesGroupsThatItCannotPackTogether) {
  EXPECT_NE(hqq().refusal(code_shape(3, 32, {&grids::uniform(4), 32})).find("pack 2 groups"),
            std::string::npos);
  EXPECT_EQ(hqq().refusal(code_shape(3, 32, {&grids::uniform(3), 32})), "");
}

}  // namespace
}  // namespace nibble
