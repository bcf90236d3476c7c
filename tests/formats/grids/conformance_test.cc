// Every grid in the list: what its codes mean.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "formats/codes.h"
#include "nibble/error.h"

namespace nibble {
namespace {

class EveryGrid : public testing::TestWithParam<const Grid*> {
 protected:
  const Grid& grid() const { return *GetParam(); }
};

TEST_P(EveryGrid, SaysWhatItIs) {
  EXPECT_FALSE(grid().summary.empty());
  EXPECT_GE(grid().bits, 1);
  EXPECT_LE(grid().bits, 16);
  EXPECT_GE(grid().dimension, 1u);
  EXPECT_LE(grid().dimension, kMaxDimension);
  if (grid().uniform()) {
    EXPECT_EQ(grid().dimension, 1u) << "evenly spaced codes stand for one weight each";
  } else {
    EXPECT_EQ(grid().codebook.size(), grid().levels() * grid().dimension);
  }
}

TEST_P(EveryGrid, HasFiniteValuesAndNoTwoCodesAlikeButZero) {
  std::set<std::vector<float>> seen;
  for (std::size_t code = 0; code < grid().levels(); ++code) {
    std::vector<float> values(grid().dimension);
    grid().values(static_cast<Code>(code), {1, 0}, values.data());
    for (const float value : values) EXPECT_TRUE(std::isfinite(value)) << code;
    const bool is_zero = values == std::vector<float>(grid().dimension);
    EXPECT_TRUE(seen.insert(values).second || is_zero) << "code " << code;
  }
}

TEST_P(EveryGrid, ScalesWithItsScale) {
  std::vector<float> once(grid().dimension), twice(grid().dimension);
  for (std::size_t code = 0; code < grid().levels(); ++code) {
    grid().values(static_cast<Code>(code), {0.5f, 3}, once.data());
    grid().values(static_cast<Code>(code), {-1, 3}, twice.data());
    for (std::size_t k = 0; k < once.size(); ++k) EXPECT_EQ(twice[k], -2 * once[k]) << code;
  }
}

TEST_P(EveryGrid, KeepsItsCodesInAMatrix) {
  Codes codes = make_codes(grid(), 3, 8 * grid().dimension, 4 * grid().dimension);
  for (std::size_t r = 0; r < codes.rows; ++r)
    for (std::size_t i = 0; i < codes.codes_per_row(); ++i)
      codes.set_code(r, i, static_cast<Code>((r * 7 + i * 5) % grid().levels()));
  for (std::size_t r = 0; r < codes.rows; ++r)
    for (std::size_t i = 0; i < codes.codes_per_row(); ++i)
      EXPECT_EQ(codes.code(r, i), (r * 7 + i * 5) % grid().levels());
}

TEST_P(EveryGrid, IsFoundByItsName) { EXPECT_EQ(&grids::named(grid().name), &grid()); }

INSTANTIATE_TEST_SUITE_P(Grids, EveryGrid,
                         testing::ValuesIn(grids::all().begin(), grids::all().end()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(Grids, WhoseCodesAreOneWeightRiseWithThem) {
  for (const Grid* grid : grids::all())
    for (std::size_t code = 1; grid->dimension == 1 && code < grid->levels(); ++code) {
      const float below = grid->value(static_cast<Code>(code - 1), {1, 0});
      const float here = grid->value(static_cast<Code>(code), {1, 0});
      EXPECT_TRUE(below < here || (below == 0 && here == 0)) << grid->name << " " << code;
    }
}

TEST(Grids, OfOneWidthExistBesideEachOther) {
  EXPECT_EQ(grids::named("int4").bits, grids::named("nf4").bits);
  EXPECT_NE(&grids::named("int4"), &grids::named("nf4"));
  EXPECT_EQ(&grids::uniform(4), &grids::named("int4"));
}

TEST(Grids, AnUnknownNameIsToldTheKnownOnes) {
  try {
    grids::named("nf5");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean nf4?"), std::string::npos)
        << error.what();
  }
}

TEST(Grids, WideCodesTakeTwoBytes) {
  const Grid wide{.name = "wide", .summary = "for this test", .bits = 12};
  Codes codes = make_codes(wide, 2, 32, 32);
  EXPECT_EQ(codes.codes.size(), 2u * 32 * 2);
  codes.set_code(1, 31, 4095);
  EXPECT_EQ(codes.code(1, 31), 4095);
  EXPECT_EQ(codes.code(1, 30), 0);
}

}  // namespace
}  // namespace nibble
