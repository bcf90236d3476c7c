// Float codes in compressed-tensors and fp8 checkpoints: bytes, shared scales, what is refused.
#include "checkpoint/layouts/float_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "formats/float8.h"
#include "support/error_text.h"
#include "support/memory_checkpoint.h"
#include "support/sample_codes.h"

namespace nibble {
namespace {

using layouts::float_code_bytes;
using layouts::scales_of_rows;
using layouts::share_scales_of_rows;
using test::error_text;
using test::MemoryCheckpoint;

Codes codes_of_values(std::string_view grid, std::size_t group, std::vector<Code> values) {
  Codes codes = make_codes(grids::named(grid), 1, values.size(), group);
  for (std::size_t i = 0; i < values.size(); ++i) codes.set_code(0, i, values[i]);
  std::fill(codes.scales.begin(), codes.scales.end(), 1.0f);
  return codes;
}

int byte(const std::vector<std::byte>& bytes, std::size_t at) {
  return std::to_integer<int>(bytes[at]);
}

TEST(FloatCodes, AreStoredAsSignAndMagnitude) {
  // −448, −0, 0, 1 and 448, and one of the two that stand for nothing.
  const auto wide =
      float_code_bytes(codes_of_values("fp8", 8, {0, 126, 127, 127 + 0x38, 253, 255, 127, 127}));
  EXPECT_EQ(byte(wide, 0), 0xFE);
  EXPECT_EQ(byte(wide, 1), 0x80);
  EXPECT_EQ(byte(wide, 2), 0x00);
  EXPECT_EQ(byte(wide, 3), 0x38);
  EXPECT_EQ(byte(wide, 4), 0x7E);
  EXPECT_EQ(byte(wide, 5), 0x7E);
  // −6 in the low nibble and 6 in the high one, −0 and 0.
  const auto narrow = float_code_bytes(codes_of_values("mxfp4", 4, {0, 15, 7, 8}));
  EXPECT_EQ(byte(narrow, 0), 0x7F);
  EXPECT_EQ(byte(narrow, 1), 0x08);
}

TEST(FloatCodes, RowsOfABlockShareTheirLargestScale) {
  Codes codes = make_codes(grids::named("fp8"), 130, 256, 128);
  for (std::size_t i = 0; i < codes.scales.size(); ++i) codes.scales[i] = static_cast<float>(i + 1);
  share_scales_of_rows(codes);
  EXPECT_EQ(codes.scales[0], 255.0f);
  EXPECT_EQ(codes.scales[1], 256.0f);
  EXPECT_EQ(codes.scales[254], 255.0f);
  EXPECT_EQ(codes.scales[256], 259.0f);
  EXPECT_EQ(codes.scales[259], 260.0f);
  EXPECT_EQ(scales_of_rows(codes), (std::vector<float>{255, 256, 259, 260}));
}

LayoutSettings settings_of(const Layout& layout, std::string_view grid, std::size_t group,
                           std::string_view dialect) {
  LayoutSettings settings;
  settings.base = {&grids::named(grid), group};
  settings.dialect = layouts::dialect_of(layout, dialect);
  return settings;
}

struct Written {
  std::vector<NamedBytes> tensors;
  Json config;
  Codes codes;
};

Written written(const Layout& layout, const LayoutSettings& settings, std::size_t rows,
                std::size_t columns) {
  const CodeShape shape = code_shape(rows, columns, settings.base);
  Written out;
  out.codes = test::sample_codes(shape, layout.storable(shape, settings));
  out.tensors = layout.write("m", out.codes, settings);
  out.config = Json::parse(layout.config(settings).dump());
  return out;
}

Codes read(const Layout& layout, const Written& from) {
  const MemoryCheckpoint checkpoint(from.tensors);
  return nibble::codes_of(*layout.open(checkpoint, from.config)->open("m"));
}

TEST(FloatCodes, BlocksMayBeCutShortAtBothEnds) {
  for (const std::string_view name : {"fp8", "compressed-tensors"}) {
    const Layout& layout = layouts::named(name);
    const auto settings =
        settings_of(layout, "fp8", 128, name == "fp8" ? "blocks" : "float-blocks");
    const Written out = written(layout, settings, 300, 200);
    EXPECT_EQ(out.tensors[1].info.shape, (std::vector<std::int64_t>{3, 2})) << name;
    const Codes back = read(layout, out);
    EXPECT_EQ(back.codes, out.codes.codes) << name;
    EXPECT_EQ(back.scales, out.codes.scales) << name;
  }
}

TEST(FloatCodes, AWeightThatIsNoNumberIsToldByItsPlace) {
  const Layout& layout = layouts::named("fp8");
  Written out = written(layout, settings_of(layout, "fp8", 128, ""), 128, 128);
  out.tensors[0].bytes[128 * 3 + 5] = std::byte{0x7F};
  const std::string text = error_text([&] { read(layout, out); });
  EXPECT_NE(text.find("module \"m\": weight [3, 5] is not a number"), std::string::npos) << text;
}

TEST(FloatCodes, AScaleThatIsNotFiniteIsRefused) {
  const Layout& layout = layouts::named("fp8");
  Written out = written(layout, settings_of(layout, "fp8", 128, ""), 128, 128);
  const float bad = INFINITY;
  std::memcpy(out.tensors[1].bytes.data(), &bad, 4);
  const std::string text = error_text([&] { read(layout, out); });
  EXPECT_NE(text.find("m.weight_scale_inv holds a non-finite value"), std::string::npos) << text;
}

TEST(FloatCodes, OneScaleStandsForAMatrixWithoutBlocks) {
  const Layout& layout = layouts::named("fp8");
  Written out = written(layout, settings_of(layout, "fp8", 128, ""), 128, 128);
  out.config["weight_block_size"] = nullptr;
  EXPECT_EQ(read(layout, out).scales, std::vector<float>(128, out.codes.scales[0]));
}

TEST(FloatCodes, ScalesOfNvfp4HaveOneFactorForUsualModels) {
  const Layout& layout = layouts::named("compressed-tensors");
  const auto settings = settings_of(layout, "nvfp4", 16, "nvfp4-pack-quantized");
  Codes codes = make_codes(grids::named("nvfp4"), 1, 32, 16);
  codes.scales = {0.011f, 0.4f};
  const auto factor_of = [&](const Codes& of) {
    float factor = 0;
    std::memcpy(&factor, layout.write("m", of, settings)[2].bytes.data(), 4);
    return factor;
  };
  EXPECT_EQ(factor_of(codes), 1024.0f);
  codes.scales = {0.011f, 3.0f};
  EXPECT_EQ(factor_of(codes), 128.0f);
  layout.storable(codes, settings).together(codes);
  EXPECT_EQ(codes.scales[1], 3.0f);
  EXPECT_NEAR(codes.scales[0], 0.011f, 0.011f / 16);
}

TEST(FloatCodes, ConfigNamesEachFormatWhereThereAreSeveral) {
  const Layout& layout = layouts::named("compressed-tensors");
  auto settings = settings_of(layout, "nvfp4", 16, "nvfp4-pack-quantized");
  EXPECT_EQ(layout.config(settings)["format"], "nvfp4-pack-quantized");
  settings.overrides.emplace_back("b", ModuleSettings{&grids::named("fp8"), 0});
  const Json config = layout.config(settings);
  EXPECT_EQ(config["format"], "mixed-precision");
  EXPECT_EQ(config["config_groups"]["group_0"]["format"], "nvfp4-pack-quantized");
  EXPECT_EQ(config["config_groups"]["group_1"]["format"], "float-quantized");
}

TEST(FloatCodes, GroupsThatAGridDoesNotHaveAreRefused) {
  const Layout& layout = layouts::named("compressed-tensors");
  EXPECT_NE(layout.refusal(code_shape(64, 256, {&grids::named("mxfp4"), 64})).find("groups of 32"),
            std::string::npos);
  EXPECT_NE(layout.refusal(code_shape(64, 256, {&grids::named("nvfp4"), 0})).find("groups of 16"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
