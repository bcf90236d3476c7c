// Weights that blocks decode to, in any type, are found to be those blocks' grid again.
#include "quantize/recovery/recover_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/random.h"
#include "formats/blocks/packing.h"
#include "formats/grid.h"
#include "nibble/process.h"
#include "quantize/recovery/number_line.h"
#include "support/dense_bytes.h"
#include "support/paths.h"

namespace nibble {
namespace {

using test::dense_bytes;

std::string name_of(const testing::TestParamInfo<const BlockFormat*>& info) {
  return std::string(info.param->name);
}

constexpr DType kTypes[] = {DType::kF16, DType::kBF16, DType::kF32};

std::vector<const BlockFormat*> recoverable_formats() {
  std::vector<const BlockFormat*> formats;
  for (const BlockFormat* format : block_formats::all())
    if (recoverable(*format)) formats.push_back(format);
  return formats;
}

std::vector<float> decoded(const BlockFormat& format, const std::vector<std::uint8_t>& blocks) {
  const std::size_t count = blocks.size() / format.block_bytes;
  std::vector<float> weights(count * format.block);
  format.decode(blocks.data(), count, weights.data());
  return weights;
}

// Rounded to `type`, found, decoded and rounded again.
void expect_found(const BlockFormat& format, std::vector<float> weights, std::size_t columns,
                  DType type) {
  for (float& weight : weights) weight = rounded_to(type, weight);
  const auto bytes = dense_bytes(weights, type);
  const DenseMatrix matrix{bytes, type, weights.size() / columns, columns};
  std::vector<std::byte> blocks;
  const auto misfit = recover_blocks(format, matrix, blocks);
  ASSERT_FALSE(misfit) << format.name << " in " << name(type) << ": row " << misfit->row
                       << ", column " << misfit->column;
  std::vector<std::uint8_t> own(blocks.size());
  std::memcpy(own.data(), blocks.data(), own.size());
  const std::vector<float> again = decoded(format, own);
  ASSERT_EQ(again.size(), weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    ASSERT_EQ(rounded_to(type, again[i]), weights[i]) << format.name << " weight " << i;
}

// Blocks of random codes from `lowest` to `highest` and random scales.
std::vector<std::uint8_t> random_blocks(const BlockFormat& format, std::size_t count,
                                        Random& random, int lowest, int highest) {
  std::vector<std::uint8_t> blocks(count * format.block_bytes);
  for (std::size_t b = 0; b < count; ++b) {
    std::uint8_t* block = blocks.data() + b * format.block_bytes;
    float scales[256];
    int codes[256];
    for (float& scale : scales) {
      scale = static_cast<float>(std::exp(-8 + 4 * random.uniform()));
      if (format.scale_type == DType::kF8E8M0) scale = std::exp2(std::floor(std::log2(scale)));
      if (format.scale_type == DType::kF16 && random.below(2) == 0) scale = -scale;
    }
    const auto span = static_cast<std::uint64_t>(highest - lowest + 1);
    for (int& code : codes) code = lowest + static_cast<int>(random.below(span));
    if (format.put_line != nullptr)
      format.put_line(scales[0], scales[0] * static_cast<float>(20 * random.normal()), block);
    else if (format.put_scales != nullptr)
      format.put_scales(scales, block);
    else
      block_formats::put_half(block, scales[0]);
    format.put_codes(codes, block);
  }
  return blocks;
}

class EveryRecoverableFormat : public testing::TestWithParam<const BlockFormat*> {};

TEST_P(EveryRecoverableFormat, FindsRandomCodesAndScales) {
  const BlockFormat& format = *GetParam();
  Random random(7);
  for (const DType type : kTypes) {
    if (format.grid.empty()) {  // three values or two: what their own rule makes of anything
      std::vector<float> weights(64 * format.block);
      for (float& weight : weights) weight = static_cast<float>(0.03 * (random.uniform() - 0.5));
      std::vector<std::uint8_t> blocks(64 * format.block_bytes);
      format.encode(weights.data(), nullptr, 64, blocks.data());
      expect_found(format, decoded(format, blocks), 4 * format.block, type);
      continue;
    }
    const Grid& grid = grids::named(format.grid);
    const int lowest = grid.lowest_code(), highest = static_cast<int>(grid.levels()) - 1;
    // All codes, the upper half, few of them, one of them.
    for (const auto& [from, to] : {std::pair(0, highest),
                                   {highest / 2, highest},
                                   {highest / 2 + 1, highest / 2 + 3},
                                   {highest / 3, highest / 3},
                                   {1, highest - 1}})
      expect_found(
          format,
          decoded(format, random_blocks(format, 64, random, std::clamp(from, lowest, highest),
                                        std::clamp(to, lowest, highest))),
          4 * format.block, type);
  }
}

TEST_P(EveryRecoverableFormat, FindsBlocksOfZerosOfBothSigns) {
  const BlockFormat& format = *GetParam();
  if (format.name == "Q1_0") return;  // has 0 only as a scale of 0, in both signs
  std::vector<float> weights(2 * format.block, 0.0f);
  weights[1] = -0.0f;
  for (const DType type : kTypes) expect_found(format, weights, format.block, type);
}

TEST_P(EveryRecoverableFormat, NamesThePlaceOfOneChangedWeight) {
  const BlockFormat& format = *GetParam();
  Random random(8);
  std::vector<float> weights(32 * format.block);
  for (float& weight : weights) weight = static_cast<float>(0.03 * (random.uniform() - 0.5));
  std::vector<std::uint8_t> blocks(32 * format.block_bytes);
  format.encode(weights.data(), nullptr, 32, blocks.data());
  weights = decoded(format, blocks);
  for (float& weight : weights) weight = rounded_to(DType::kBF16, weight);
  // Row 7 of four blocks, in the third.
  const std::size_t place = (4 * 7 + 2) * format.block + 5;
  weights[place] = rounded_to(DType::kBF16, 0.011171f);
  weights[place + 1] = rounded_to(DType::kBF16, 0.000137f);
  const auto bytes = dense_bytes(weights, DType::kBF16);
  const DenseMatrix matrix{bytes, DType::kBF16, 8, 4 * format.block};
  std::vector<std::byte> found;
  const auto misfit = recover_blocks(format, matrix, found);
  ASSERT_TRUE(misfit);
  EXPECT_EQ(misfit->row, 7u);
  EXPECT_EQ(misfit->column, 2 * format.block);
}

TEST_P(EveryRecoverableFormat, RefusesWeightsOfNoGridAndThoseThatAreNoNumbers) {
  const BlockFormat& format = *GetParam();
  Random random(9);
  std::vector<float> weights(8 * format.block);
  for (float& weight : weights)
    weight = rounded_to(DType::kBF16, static_cast<float>(0.02 * random.normal()));
  std::vector<std::byte> found;
  const auto expect_none = [&](const char* what) {
    const auto bytes = dense_bytes(weights, DType::kBF16);
    const auto misfit =
        recover_blocks(format, DenseMatrix{bytes, DType::kBF16, 4, 2 * format.block}, found);
    ASSERT_TRUE(misfit) << what;
    EXPECT_EQ(misfit->row, 0u);
  };
  expect_none("normal numbers");
  std::fill(weights.begin(), weights.end(), 0.0f);
  weights[3] = NAN;
  expect_none("a NaN");
  weights[3] = INFINITY;
  expect_none("an infinity");
}

TEST_P(EveryRecoverableFormat, GivesTheSameBytesForAnyNumberOfThreads) {
  const BlockFormat& format = *GetParam();
  Random random(10);
  std::vector<float> weights(64 * format.block);
  for (float& weight : weights) weight = static_cast<float>(0.03 * (random.uniform() - 0.5));
  std::vector<std::uint8_t> blocks(64 * format.block_bytes);
  format.encode(weights.data(), nullptr, 64, blocks.data());
  const auto bytes = dense_bytes(decoded(format, blocks), DType::kBF16);
  const DenseMatrix matrix{bytes, DType::kBF16, 64, format.block};
  std::vector<std::byte> one, four;
  set_threads(1);
  EXPECT_FALSE(recover_blocks(format, matrix, one));
  set_threads(4);
  EXPECT_FALSE(recover_blocks(format, matrix, four));
  set_threads(0);
  EXPECT_EQ(one, four);
}

// Weights that the gguf package for Python decoded from blocks of random bytes. What ggml's own
// encoder made stands for those whose random codes it never writes.
TEST_P(EveryRecoverableFormat, FindsWhatAnotherProgramDecoded) {
  const BlockFormat& format = *GetParam();
  // Random blocks of three values have a fourth, which no program writes.
  const bool by_rule = format.grid.empty() || grids::named(format.grid).centred;
  const std::string path = std::string(kSourceFolder) + "/tests/golden/formats/" +
                           (by_rule ? "encoded_" : "") + std::string(format.name) + ".bin";
  std::ifstream stream(path, std::ios::binary);
  const std::string file(std::istreambuf_iterator<char>(stream), {});
  const std::size_t count = file.size() / (format.block_bytes + format.block * sizeof(float));
  ASSERT_GE(count, 2u);
  std::vector<float> weights(count * format.block);
  if (by_rule) {
    std::vector<std::uint8_t> blocks(
        file.end() - static_cast<std::ptrdiff_t>(count * format.block_bytes), file.end());
    weights = decoded(format, blocks);
  } else {
    std::memcpy(weights.data(), file.data() + count * format.block_bytes,
                weights.size() * sizeof(float));
  }
  for (const DType type : kTypes) {
    bool finite = true;
    for (const float weight : weights) finite &= std::isfinite(rounded_to(type, weight));
    if (finite) expect_found(format, weights, format.block, type);
  }
}

INSTANTIATE_TEST_SUITE_P(Recovery, EveryRecoverableFormat, testing::ValuesIn(recoverable_formats()),
                         name_of);

TEST(RecoverBlocks, HasNoSearchForScalesThatAreStoredTogether) {
  for (const BlockFormat* format : block_formats::all())
    EXPECT_EQ(recoverable(*format), !(format->name.ends_with("_K") || format->name == "IQ4_XS"))
        << format->name;
}

}  // namespace
}  // namespace nibble
