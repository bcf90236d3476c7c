// Differences of weights: none between forms of the same numbers, the right ones where some
// changed.
#include "evaluate/weight_difference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/files.h"
#include "nibble/error.h"
#include "support/edited_model.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kModel = fs::path(kSourceFolder) / "tests" / "golden" / "model" / "llama_groups";

TEST(WeightDifferences, FindNoneInTheSameModelUnderOtherNames) {
  const auto itself = weight_differences(kModel, kModel, {});
  EXPECT_GT(itself.size(), 10u);
  const TempDir dir;
  test::EditedModel renamed(kModel);
  renamed.rename(test::kWrappings[1]);
  renamed.write(dir / "renamed");
  const auto other = weight_differences(kModel, dir / "renamed", {});
  ASSERT_EQ(other.size(), itself.size());
  for (const auto& parts : {itself, other})
    for (const PartDifference& part : parts) {
      EXPECT_TRUE(part.equal()) << part.name;
      EXPECT_EQ(part.relative, 0) << part.name;
    }
}

TEST(WeightDifferences, SayHowManyWeightsDifferAndByHowMuch) {
  const TempDir dir;
  test::EditedModel edited(kModel);
  auto& entry = edited.tensors.at("model.layers.1.mlp.up_proj.weight");
  ASSERT_EQ(entry.info.dtype, DType::kBF16);
  const std::size_t count = entry.bytes.size() / 2;
  const auto value = [&](std::size_t i) {
    std::uint16_t high = 0;
    std::memcpy(&high, entry.bytes.data() + 2 * i, 2);
    return static_cast<double>(std::bit_cast<float>(std::uint32_t{high} << 16));
  };
  double squares = 0;
  for (std::size_t i = 0; i < count; ++i) squares += value(i) * value(i);
  // Two weights change their sign.
  for (const std::size_t i : {std::size_t{5}, count - 1}) entry.bytes[2 * i + 1] ^= std::byte{0x80};
  const double first = 2 * std::fabs(value(5)), last = 2 * std::fabs(value(count - 1));
  edited.write(dir / "edited");
  for (const PartDifference& part : weight_differences(kModel, dir / "edited", {})) {
    if (part.name != "model.layers.1.mlp.up_proj") {
      EXPECT_TRUE(part.equal()) << part.name;
      continue;
    }
    EXPECT_EQ(part.unequal, 2u);
    EXPECT_EQ(part.weights, count);
    EXPECT_NEAR(part.largest, std::max(first, last), 1e-12);
    EXPECT_NEAR(part.relative, (first * first + last * last) / squares, 1e-12);
  }
}

// A grid's weights, and what was published of them in BF16.
TEST(WeightDifferences, SayWhereWeightsAreEqualOnceRoundedToTheOthersType) {
  const TempDir dir;
  test::EditedModel edited(kModel);
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  auto& entry = edited.tensors.at(name);
  const std::size_t count = entry.bytes.size() / 2;
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t high = 0;
    std::memcpy(&high, entry.bytes.data() + 2 * i, 2);
    values[i] = std::bit_cast<float>(std::uint32_t{high} << 16 | (i % 3 == 0 ? 0x1234u : 0u));
  }
  const auto difference = [&](const char* file) {
    entry.bytes.resize(4 * count);
    std::memcpy(entry.bytes.data(), values.data(), 4 * count);
    entry.info.dtype = DType::kF32;
    entry.info.bytes = entry.bytes.size();
    edited.write(dir / file);
    const auto there = weight_differences(kModel, dir / file, {});
    const auto back = weight_differences(dir / file, kModel, {});
    const auto part = [](const auto& parts) {
      return *std::find_if(parts.begin(), parts.end(), [](const PartDifference& one) {
        return one.name == "model.layers.1.mlp.up_proj";
      });
    };
    EXPECT_EQ(part(there).equal_as, part(back).equal_as);
    for (const PartDifference& one : there)
      EXPECT_TRUE(one.equal() ? one.equal_as.empty() : one.name == part(there).name) << one.name;
    return part(there);
  };
  const PartDifference rounded = difference("rounded");
  EXPECT_EQ(rounded.unequal, (count + 2) / 3);
  EXPECT_EQ(rounded.equal_as, "BF16");
  values[7] = std::nextafter(values[7] + std::fabs(values[7]) / 64, INFINITY);
  EXPECT_EQ(difference("moved").equal_as, "");
}

TEST(WeightDifferences, RefuseModelsOfOtherShapes) {
  const fs::path demo = fs::path(kSourceFolder) / "assets" / "demo";
  EXPECT_EQ(test::error_kind([&] { weight_differences(kModel, demo, {}); }),
            ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace nibble
