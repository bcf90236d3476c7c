// Packed kernels of each instruction set against the scalar ones, which go through each format's
// own unpack.
#include <cmath>

#include "formats/format.h"
#include "kernels/tables_under_test.h"

namespace nibble {
namespace {

struct Functions {
  decltype(Kernels::gemv_int4) gemv;
  decltype(Kernels::decode_int4) decode;
};

Functions functions_of(const Kernels& table, int bits) {
  if (bits == 2) return {table.gemv_int2, table.decode_int2};
  if (bits == 3) return {table.gemv_int3, table.decode_int3};
  if (bits == 4) return {table.gemv_int4, table.decode_int4};
  return {table.gemv_int8, table.decode_int8};
}

// Rows of random codes, among them all that `bits` allow, scales of both signs and zeros that need
// not be whole. The blocks end where the vector ends.
struct Sample {
  std::size_t rows, groups, blocks_per_group;
  std::vector<std::uint8_t> blocks;
  std::vector<float> scales, zeros;

  Sample(const Format& format, std::size_t row_count, std::size_t group_count,
         std::size_t per_group)
      : rows(row_count), groups(group_count), blocks_per_group(per_group) {
    Random random(rows * 100 + groups * 10 + per_group);
    const std::size_t count = rows * groups * blocks_per_group;
    blocks.resize(count * format.block_bytes);
    for (std::size_t b = 0; b < count; ++b) {
      std::uint8_t codes[kBlockCodes];
      for (std::size_t i = 0; i < kBlockCodes; ++i)
        codes[i] = static_cast<std::uint8_t>(b == 0 ? i * 8 + 7 : random.bits()) &
                   ((1 << format.bits) - 1);
      format.pack(codes, blocks.data() + b * format.block_bytes);
    }
    scales = random_floats(rows * groups, 21);
    zeros = random_floats(rows * groups, 22);
    for (float& zero : zeros) zero = (zero + 2) * static_cast<float>(1 << format.bits) / 4;
  }
  PackedRows view() const {
    return {blocks.data(), scales.data(), zeros.data(), groups, blocks_per_group};
  }
  std::size_t slots() const { return groups * blocks_per_group * kBlockCodes; }
};

struct Size {
  std::size_t rows, groups, blocks_per_group;
};
const Size kSizes[] = {{1, 1, 1}, {2, 3, 1}, {3, 1, 5}, {4, 2, 4}, {5, 3, 2}, {9, 7, 1}};

class PackedKernels : public testing::TestWithParam<TableUnderTest> {};

TEST_P(PackedKernels, DecodeExactlyTheDefinition) {
  for (const Format* format : formats::all())
    for (const Size& size : kSizes) {
      const Sample sample(*format, size.rows, size.groups, size.blocks_per_group);
      const PackedRows rows = sample.view();
      const std::size_t stride = sample.slots() + 3;
      std::vector<float> values(sample.rows * stride, -9.0f), expected = values;
      functions_of(*GetParam().table, format->bits)
          .decode(&rows, sample.rows, values.data(), stride);
      functions_of(scalar::table, format->bits).decode(&rows, sample.rows, expected.data(), stride);
      EXPECT_EQ(values, expected) << format->name << " rows " << size.rows;
    }
}

TEST_P(PackedKernels, MultiplyAsTheDefinitionDoes) {
  for (const Format* format : formats::all())
    for (const Size& size : kSizes) {
      const Sample sample(*format, size.rows, size.groups, size.blocks_per_group);
      const PackedRows rows = sample.view();
      const auto x = random_floats(sample.slots(), 23);
      std::vector<float> sums(sample.groups), y(sample.rows), expected(sample.rows);
      for (std::size_t i = 0; i < x.size(); ++i)
        sums[i / (sample.blocks_per_group * kBlockCodes)] += x[i];
      functions_of(*GetParam().table, format->bits)
          .gemv(&rows, x.data(), sums.data(), sample.rows, y.data());
      functions_of(scalar::table, format->bits)
          .gemv(&rows, x.data(), sums.data(), sample.rows, expected.data());
      // |scale| · |code| · |x| is at most 2 · 2^bits · 2 for each slot.
      const double terms = 4.0 * (1 << format->bits) * static_cast<double>(sample.slots());
      for (std::size_t r = 0; r < sample.rows; ++r)
        EXPECT_NEAR(y[r], expected[r], 1e-6 * terms) << format->name << " row " << r;
    }
}

TEST_P(PackedKernels, AOneInEverySlotPicksItsOwnCode) {
  for (const Format* format : formats::all()) {
    const Sample sample(*format, 1, 1, 1);
    const float scale = 1, zero = 0, sum = 1;
    const PackedRows row{sample.blocks.data(), &scale, &zero, 1, 1};
    std::uint8_t codes[kBlockCodes];
    format->unpack(sample.blocks.data(), codes);
    for (std::size_t slot = 0; slot < kBlockCodes; ++slot) {
      float x[kBlockCodes] = {}, y = -1;
      x[slot] = 1;
      functions_of(*GetParam().table, format->bits).gemv(&row, x, &sum, 1, &y);
      EXPECT_EQ(y, codes[slot]) << format->name << " slot " << slot;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, PackedKernels, testing::ValuesIn(tables_under_test()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PackedKernels);

}  // namespace
}  // namespace nibble
