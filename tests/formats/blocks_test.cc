// Every block format in the list against weights that another program decoded.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "formats/block_format.h"
#include "support/paths.h"

namespace nibble {
namespace {

struct Golden {
  std::vector<std::uint8_t> blocks;
  std::vector<float> weights;
};

// The file holds blocks and then their weights: its length gives their number.
Golden read_golden(const BlockFormat& format) {
  const std::string path =
      std::string(kSourceFolder) + "/tests/golden/formats/" + std::string(format.name) + ".bin";
  std::ifstream stream(path, std::ios::binary);
  const std::string file(std::istreambuf_iterator<char>(stream), {});
  const std::size_t count = file.size() / (format.block_bytes + format.block * sizeof(float));
  Golden golden;
  golden.blocks.assign(file.begin(),
                       file.begin() + static_cast<std::ptrdiff_t>(count * format.block_bytes));
  golden.weights.resize(count * format.block);
  std::memcpy(golden.weights.data(), file.data() + golden.blocks.size(),
              file.size() - golden.blocks.size());
  return golden;
}

class EveryBlockFormat : public testing::TestWithParam<const BlockFormat*> {};

TEST_P(EveryBlockFormat, DecodesToTheGoldenBits) {
  const Golden golden = read_golden(*GetParam());
  ASSERT_GE(golden.weights.size(), 2 * GetParam()->block) << "no golden file";
  std::vector<float> weights(golden.weights.size());
  GetParam()->decode(golden.blocks.data(), weights.size() / GetParam()->block, weights.data());
  for (std::size_t i = 0; i < weights.size(); ++i)
    ASSERT_EQ(weights[i], golden.weights[i]) << "weight " << i;  // equal up to the sign of a zero
}

// What the formats' makers write. The file holds weights and then their blocks.
TEST_P(EveryBlockFormat, EncodesToTheGoldenBytesWhereNothingIsSearched) {
  const BlockFormat& format = *GetParam();
  if (!format.grid.empty() && format.put_scales == nullptr) return;
  const std::string path = std::string(kSourceFolder) + "/tests/golden/formats/encoded_" +
                           std::string(format.name) + ".bin";
  std::ifstream stream(path, std::ios::binary);
  const std::string file(std::istreambuf_iterator<char>(stream), {});
  const std::size_t count = file.size() / (format.block_bytes + format.block * sizeof(float));
  ASSERT_GE(count, 4u) << "no golden file";
  std::vector<float> weights(count * format.block);
  std::memcpy(weights.data(), file.data(), weights.size() * sizeof(float));
  std::vector<std::uint8_t> blocks(count * format.block_bytes, 0xA5);
  format.encode(weights.data(), nullptr, count, blocks.data());
  EXPECT_EQ(std::memcmp(blocks.data(), file.data() + weights.size() * sizeof(float), blocks.size()),
            0);
}

TEST_P(EveryBlockFormat, ReadsItsBlocksAtAnyAlignment) {
  const Golden golden = read_golden(*GetParam());
  std::vector<std::uint8_t> shifted(golden.blocks.size() + 1);
  std::memcpy(shifted.data() + 1, golden.blocks.data(), golden.blocks.size());
  std::vector<float> weights(golden.weights.size());
  GetParam()->decode(shifted.data() + 1, weights.size() / GetParam()->block, weights.data());
  EXPECT_EQ(weights, golden.weights);
}

TEST_P(EveryBlockFormat, IsFoundByItsNumber) {
  EXPECT_EQ(block_formats::with_type(GetParam()->ggml_type), GetParam());
  EXPECT_EQ(GetParam()->row_bytes(3 * GetParam()->block), 3 * GetParam()->block_bytes);
}

INSTANTIATE_TEST_SUITE_P(Blocks, EveryBlockFormat,
                         testing::ValuesIn(block_formats::all().begin(),
                                           block_formats::all().end()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(BlockFormats, HaveNamesAndNumbersOfTheirOwn) {
  std::set<std::string_view> names;
  std::set<std::uint32_t> types;
  for (const BlockFormat* format : block_formats::all()) {
    EXPECT_TRUE(names.insert(format->name).second);
    EXPECT_TRUE(types.insert(format->ggml_type).second);
  }
}

TEST(BlockFormats, NumbersOfOtherTypesAreUnknown) {
  for (const std::uint32_t type : {0u, 4u, 9u, 15u, 16u, 0xFFFFFFFFu})
    EXPECT_EQ(block_formats::with_type(type), nullptr) << type;
}

}  // namespace
}  // namespace nibble
