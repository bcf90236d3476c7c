// Weights that codes of any grid decode to, in any type, are found to be codes of it again.
#include "quantize/recovery/recover_codes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "base/text.h"
#include "nibble/process.h"
#include "quantize/recovery/number_line.h"
#include "support/dense_bytes.h"
#include "support/sample_codes.h"

namespace nibble {
namespace {

std::string name_of(const testing::TestParamInfo<const Grid*>& info) {
  return std::string(info.param->name);
}

constexpr DType kTypes[] = {DType::kF16, DType::kBF16, DType::kF32};

std::vector<float> decoded(const Codes& codes, DType type) {
  Tensor rows(codes.rows, codes.columns);
  decode_rows(codes, 0, rows.view());
  std::vector<float> weights(rows.data(), rows.data() + rows.size());
  for (float& weight : weights) weight = rounded_to(type, weight);
  return weights;
}

Codes expect_found(const Codes& codes, const Storable& storable, DType type) {
  const std::vector<float> weights = decoded(codes, type);
  const auto bytes = test::dense_bytes(weights, type);
  Codes found;
  const auto misfit =
      recover_codes({bytes, type, codes.rows, codes.columns}, codes, storable, found);
  EXPECT_FALSE(misfit) << codes.grid->name << " in groups of " << codes.group_size << ", "
                       << name(type) << " with scales of " << name(storable.scale_type) << ": row "
                       << misfit.value_or(Misfit{}).row << ", column "
                       << misfit.value_or(Misfit{}).column;
  if (!misfit) {
    EXPECT_EQ(decoded(found, type), weights) << codes.grid->name;
    for (const float scale : found.scales) EXPECT_EQ(storable.nearest_scale(scale), scale);
  }
  return found;
}

class EveryGrid : public testing::TestWithParam<const Grid*> {};

TEST_P(EveryGrid, IsFoundInGroupsOfAllSizesWithScalesOfAllTypes) {
  const Grid& grid = *GetParam();
  if (grid.dimension != 1 || grid.bits > 8) return;
  for (const DType type : kTypes)
    for (const DType scales : {DType::kF16, DType::kBF16, DType::kF32})
      for (const std::size_t group : {32, 64, 128, 192, 80}) {  // the last group of 80 is shorter
        const CodeShape shape = code_shape(24, 192, {&grid, group});
        Storable storable;
        storable.scale_type = scales;
        storable.free_zeros = false;
        expect_found(test::sample_codes(shape, storable), storable, type);
      }
}

TEST_P(EveryGrid, IsFoundWithZerosOfItsOwn) {
  const Grid& grid = *GetParam();
  if (!grid.uniform()) return;
  for (const DType type : kTypes)
    for (const float lowest : {0.0f, 1.0f}) {
      Storable storable;
      storable.lowest_zero = lowest;
      const Codes codes = test::sample_codes(code_shape(24, 192, {&grid, 64}), storable);
      const Codes found = expect_found(codes, storable, type);
      for (const float zero : found.zeros) {
        EXPECT_EQ(zero, std::nearbyint(zero));
        EXPECT_GE(zero, lowest);
        EXPECT_LT(zero, static_cast<float>(grid.levels()));
      }
    }
}

TEST_P(EveryGrid, IsFoundWithZerosThatAreNoIntegers) {
  const Grid& grid = *GetParam();
  if (!grid.free_zeros() || grid.bits > 6) return;
  for (const DType type : kTypes) {
    Storable storable;
    storable.scale_type = storable.zero_type = type == DType::kF32 ? DType::kF16 : type;
    storable.integer_zeros = false;
    Codes codes = test::sample_codes(code_shape(24, 192, {&grid, 64}), storable);
    Random random(5);
    for (float& zero : codes.zeros)
      zero = storable.nearest_zero(
          static_cast<float>(random.uniform() * static_cast<double>(grid.levels())));
    expect_found(codes, storable, type);
  }
}

TEST_P(EveryGrid, HasZerosInTheMiddleWhereThatIsEnough) {
  const Grid& grid = *GetParam();
  if (!grid.uniform()) return;
  Storable storable;
  storable.free_zeros = false;
  const Codes codes = test::sample_codes(code_shape(8, 128, {&grid, 32}), storable);
  storable.free_zeros = true;
  const Codes found = expect_found(codes, storable, DType::kBF16);
  for (const float zero : found.zeros) EXPECT_EQ(zero, static_cast<float>(grid.levels() / 2));
}

INSTANTIATE_TEST_SUITE_P(Recovery, EveryGrid,
                         testing::ValuesIn(grids::all().begin(), grids::all().end()), name_of);

TEST(RecoverCodes, FindsScalesThatNeighbouringRowsShare) {
  const Grid& grid = grids::named("fp8");
  Storable storable;
  storable.scale_type = DType::kF32;
  storable.free_zeros = false;
  storable.scale_rows = 16;
  Codes codes = test::sample_codes(code_shape(40, 256, {&grid, 128}), storable);
  for (std::size_t r = 0; r < codes.rows; ++r)
    for (std::size_t g = 0; g < 2; ++g) codes.set_params(r, g, codes.params(r / 16 * 16, g));
  const Codes found = expect_found(codes, storable, DType::kBF16);
  for (std::size_t r = 0; r < codes.rows; ++r)
    EXPECT_EQ(found.scales[2 * r], found.scales[2 * (r / 16 * 16)]);
}

TEST(RecoverCodes, NamesThePlaceOfOneChangedWeightWhateverTheThreads) {
  const Grid& grid = grids::named("int4");
  Storable storable;
  const Codes codes = test::sample_codes(code_shape(64, 256, {&grid, 64}), storable);
  std::vector<float> weights = decoded(codes, DType::kBF16);
  for (const std::size_t row : {61, 43, 44})
    weights[row * 256 + 130] = rounded_to(DType::kBF16, 1.2345e-3f);
  const auto bytes = test::dense_bytes(weights, DType::kBF16);
  for (const int threads : {1, 4}) {
    set_threads(threads);
    Codes found;
    const auto misfit = recover_codes({bytes, DType::kBF16, 64, 256}, codes, storable, found);
    ASSERT_TRUE(misfit);
    EXPECT_EQ(misfit->row, 43u);
    EXPECT_EQ(misfit->column, 128u);
  }
  set_threads(0);
}

TEST(RecoverCodes, KeepsTheSignOfZerosWhereTheGridHasBoth) {
  const Grid& grid = grids::named("mxfp4");
  Storable storable;
  storable.scale_type = DType::kF8E8M0;
  std::vector<float> weights(32, 0.25f);
  weights[3] = -0.0f;
  weights[4] = 0.0f;
  const auto bytes = test::dense_bytes(weights, DType::kBF16);
  Codes found;
  ASSERT_FALSE(
      recover_codes({bytes, DType::kBF16, 1, 32}, code_shape(1, 32, {&grid, 32}), storable, found));
  Tensor again(1, 32);
  decode_rows(found, 0, again.view());
  EXPECT_TRUE(std::signbit(again.data()[3]));
  EXPECT_FALSE(std::signbit(again.data()[4]));
}

}  // namespace
}  // namespace nibble
