// Packing keeps every weight, however the columns are grouped.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "formats/format.h"
#include "nibble/error.h"

namespace nibble {
namespace {

Codes random_codes(std::size_t rows, std::size_t columns, int bits, std::size_t group_size) {
  Random random(rows + columns * 7 + group_size);
  Codes codes = make_codes(grids::uniform(bits), rows, columns, group_size);
  for (auto& code : codes.codes) code = static_cast<std::uint8_t>(random.below(1u << bits));
  for (auto& scale : codes.scales) scale = static_cast<float>(random.normal());
  for (auto& zero : codes.zeros) zero = static_cast<float>(random.below(1u << bits));
  return codes;
}

void expect_same_weights(const Codes& codes, const PackedMatrix& packed) {
  Tensor expected(codes.rows, codes.columns), actual(codes.rows, codes.columns);
  decode_rows(codes, 0, expected.view());
  decode_rows(packed, 0, actual.view());
  for (std::size_t r = 0; r < codes.rows; ++r)
    for (std::size_t c = 0; c < codes.columns; ++c)
      ASSERT_EQ(actual.view()(r, c), expected.view()(r, c)) << r << ", " << c;
}

TEST(PackedMatrix, KeepsWholeGroupsInPlace) {
  for (const Format* format : formats::all()) {
    const Codes codes = random_codes(5, 256, format->bits, 64);
    const PackedMatrix packed = pack(codes);
    EXPECT_TRUE(packed.slots.empty());
    EXPECT_EQ(packed.row_bytes(), 256u * static_cast<std::size_t>(format->bits) / 8);
    expect_same_weights(codes, packed);
  }
}

TEST(PackedMatrix, PadsOddGroupsAndARaggedEnd) {
  for (const Format* format : formats::all())
    for (const std::size_t group_size : {1u, 31u, 40u, 128u, 172u, 1000u}) {
      const Codes codes = random_codes(3, 172, format->bits, group_size);
      const PackedMatrix packed = pack(codes);
      EXPECT_EQ(packed.slots.size(), packed.slot_count());
      expect_same_weights(codes, packed);
    }
}

TEST(PackedMatrix, PutsScatteredGroupsTogether) {
  for (const Format* format : formats::all()) {
    Codes codes = random_codes(4, 200, format->bits, 32);
    Random random(9);
    codes.group_index.resize(200);
    // Some groups get more columns than others, one may get none.
    for (auto& group : codes.group_index)
      group = static_cast<std::int32_t>(random.below(codes.groups() - 1));
    const PackedMatrix packed = pack(codes);
    for (std::size_t s = 0; s < packed.slots.size(); ++s)
      if (packed.slots[s] >= 0) {
        EXPECT_EQ(s / (packed.blocks_per_group * kBlockCodes),
                  codes.group_of(static_cast<std::size_t>(packed.slots[s])));
      }
    expect_same_weights(codes, packed);
  }
}

TEST(PackedMatrix, ReadsEachColumnExactlyOnce) {
  const PackedMatrix packed = pack(random_codes(2, 172, 4, 40));
  std::vector<std::int32_t> columns;
  std::copy_if(packed.slots.begin(), packed.slots.end(), std::back_inserter(columns),
               [](std::int32_t column) { return column >= 0; });
  std::sort(columns.begin(), columns.end());
  std::vector<std::int32_t> all(172);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(columns, all);
}

TEST(PackedMatrix, DecodesFromAnyRowOn) {
  const Codes codes = random_codes(6, 70, 3, 32);
  Tensor expected(2, 70), actual(2, 70);
  decode_rows(codes, 3, expected.view());
  decode_rows(pack(codes), 3, actual.view());
  EXPECT_TRUE(std::equal(actual.data(), actual.data() + actual.size(), expected.data()));
}

ErrorKind refusal(const Codes& codes) {
  try {
    pack(codes);
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "accepted";
  return ErrorKind::kInterrupted;
}

TEST(PackedMatrix, RefusesAGroupIndexThatPointsNowhere) {
  Codes codes = random_codes(2, 64, 4, 32);
  codes.group_index.assign(64, 0);
  codes.group_index[5] = 2;
  EXPECT_EQ(refusal(codes), ErrorKind::kInvalidArgument);
  codes.group_index[5] = -1;
  EXPECT_EQ(refusal(codes), ErrorKind::kInvalidArgument);
  codes.group_index.assign(63, 0);
  EXPECT_EQ(refusal(codes), ErrorKind::kInvalidArgument);
}

TEST(PackedMatrix, RefusesGroupsOfNothing) {
  Codes codes = random_codes(2, 64, 4, 32);
  codes.group_size = 0;
  EXPECT_EQ(refusal(codes), ErrorKind::kInvalidArgument);
}

TEST(PackedMatrix, RefusesWideCodesAndCodesOfSeveralWeights) {
  const Grid wide{.name = "wide", .summary = "", .bits = 9};
  EXPECT_EQ(refusal(make_codes(wide, 2, 64, 32)), ErrorKind::kUnsupported);
  const std::vector<float> codebook(16 * 4);
  const Grid vectors{
      .name = "vectors", .summary = "", .bits = 4, .dimension = 4, .codebook = codebook};
  EXPECT_EQ(refusal(make_codes(vectors, 2, 64, 32)), ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace nibble
