#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "checkpoint/layout.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/memory_checkpoint.h"

namespace nibble {
namespace {

using test::error_text;
using test::MemoryCheckpoint;

const Layout& four() { return layouts::named("bitsandbytes"); }
const Layout& eight() { return layouts::named("bitsandbytes-int8"); }

const Json kEight = {{"quant_method", "bitsandbytes"}, {"load_in_8bit", true}};

std::vector<float> floats_of(const NamedBytes& tensor) {
  std::vector<float> values(tensor.bytes.size() / 4);
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

// The table that bitsandbytes 0.50.2 gives for "fp4", in twelfths.
TEST(Bitsandbytes, StoresFp4InTheOrderOfTheLibrarysCodes) {
  Codes codes = make_codes(grids::named("fp4"), 1, 32, 32);
  codes.scales[0] = 2;
  for (std::size_t i = 0; i < 32; ++i) codes.codes[i] = static_cast<std::uint8_t>(i % 16);
  const auto tensors = four().write("m", codes, {});
  ASSERT_EQ(tensors[2].info.name, "m.weight.quant_map");
  const std::vector<float> map = floats_of(tensors[2]);
  const float twelfths[] = {0, 0.0625f, 8, 12, 4, 6, 2, 3};
  for (std::size_t code = 0; code < 8; ++code) {
    EXPECT_EQ(map[code], twelfths[code] / 12) << code;
    EXPECT_EQ(map[code + 8], -twelfths[code] / 12) << code;
  }
  for (std::size_t i = 0; i < 32; ++i) {
    const auto byte = std::to_integer<unsigned>(tensors[0].bytes[i / 2]);
    EXPECT_EQ(map[i % 2 == 0 ? byte >> 4 : byte & 15], codes.grid->codebook[codes.codes[i]]) << i;
  }
}

TEST(Bitsandbytes, ACodebookOfAnotherKindIsRefused) {
  Codes codes = make_codes(grids::named("fp4"), 4, 64, 64);
  auto tensors = four().write("m", codes, {});
  float other = 0.9f;
  std::memcpy(tensors[2].bytes.data() + 4 * 3, &other, 4);
  const MemoryCheckpoint checkpoint(std::move(tensors));
  const auto refusal = error_text([&] { four().open(checkpoint, {})->open("m"); });
  EXPECT_NE(refusal.find("not fp4's at code 3"), std::string::npos) << refusal;
}

TEST(Bitsandbytes, AConfigOfTheTimeBeforeNamesIsKnown) {
  const auto claiming = [](Json config) {
    const Layout* layout = layouts::claiming({{"quantization_config", std::move(config)}});
    return layout == nullptr ? "" : std::string(layout->name);
  };
  EXPECT_EQ(claiming({{"load_in_4bit", true}, {"load_in_8bit", false}}), "bitsandbytes");
  EXPECT_EQ(claiming({{"load_in_8bit", true}}), "bitsandbytes-int8");
}

Codes bytes_of_rows(std::size_t rows) {
  Codes codes = make_codes(grids::uniform(8), rows, 32, 32);
  Random random(7);
  for (std::uint8_t& code : codes.codes) code = static_cast<std::uint8_t>(random.below(256));
  for (std::size_t r = 0; r < rows; ++r)
    codes.set_params(r, 0, {static_cast<float>(0.001 + random.uniform()), 128});
  return codes;
}

TEST(BitsandbytesInt8, BytesAreSignedAndScalesWholeRows) {
  Codes codes = bytes_of_rows(2);
  codes.codes[0] = 1, codes.codes[1] = 255, codes.codes[2] = 128;
  codes.scales[0] = 0.5f;
  const auto tensors = eight().write("m", codes, {});
  EXPECT_EQ(tensors[0].info.dtype, DType::kI8);
  EXPECT_EQ(static_cast<std::int8_t>(tensors[0].bytes[0]), -127);
  EXPECT_EQ(static_cast<std::int8_t>(tensors[0].bytes[1]), 127);
  EXPECT_EQ(static_cast<std::int8_t>(tensors[0].bytes[2]), 0);
  EXPECT_EQ(floats_of(tensors[1])[0], 63.5f);
  EXPECT_EQ(tensors[2].info.shape, std::vector<std::int64_t>());
}

// A scale is stored times 127 and divided again when it is read.
TEST(BitsandbytesInt8, WhatWasBroughtToAStoredScaleStaysWhatItIs) {
  Codes codes = bytes_of_rows(500);
  const Storable storable = eight().storable(codes, {});
  std::size_t moved = 0;
  const auto before = codes.scales;
  storable.together(codes);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(codes.scales[i], before[i], before[i] * 2e-7);
    moved += codes.scales[i] != before[i] ? 1 : 0;
  }
  EXPECT_GT(moved, 0u) << "the test shows nothing";
  const MemoryCheckpoint checkpoint(eight().write("m", codes, {}));
  EXPECT_EQ(codes_of(*eight().open(checkpoint, kEight)->open("m")).scales, codes.scales);
}

TEST(BitsandbytesInt8, WhatIsBrokenOrNotReadIsNamed) {
  const auto refusal = [](auto change) {
    auto tensors = eight().write("m", bytes_of_rows(4), {});
    change(tensors);
    const MemoryCheckpoint checkpoint(std::move(tensors));
    return error_text([&] { eight().open(checkpoint, kEight)->open("m"); });
  };
  EXPECT_EQ(refusal([](auto&) {}), "");
  EXPECT_NE(refusal([](auto& t) { t[2].bytes[0] = std::byte{2}; }).find("weight_format is 2"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& t) { t[0].info.dtype = DType::kU8; }).find("has type U8; expected I8"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& t) {
              t[1].info.shape = {2, 2};
            }).find("has shape [2, 2]"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& t) {
              const float bad = INFINITY;
              std::memcpy(t[1].bytes.data(), &bad, 4);
            }).find("m.SCB holds a non-finite value"),
            std::string::npos);
}

TEST(BitsandbytesInt8, ZerosOfGroupsAreRefused) {
  Codes codes = bytes_of_rows(2);
  codes.zeros[1] = 120;
  EXPECT_NE(error_text([&] { eight().write("m", codes, {}); }).find("zero 120"), std::string::npos);
  EXPECT_FALSE(eight().storable(codes, {}).free_zeros);
}

}  // namespace
}  // namespace nibble
