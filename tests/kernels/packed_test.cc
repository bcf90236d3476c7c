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

// Codes of a width and what they mean.
struct Kind {
  const char* name;
  int bits;
  decltype(&Kernels::gemv_int4) gemv;
  decltype(&Kernels::decode_int4) decode;
  const Grid* grid = nullptr;  // with a codebook; null: codes are numbers

  const Format& format() const { return formats::with_bits(bits); }
  Functions of(const Kernels& table) const { return {table.*gemv, table.*decode}; }
  float value(std::uint8_t code) const {
    return grid != nullptr ? grid->codebook[code] : static_cast<float>(code);
  }
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> list = {
      {"int2", 2, &Kernels::gemv_int2, &Kernels::decode_int2},
      {"int3", 3, &Kernels::gemv_int3, &Kernels::decode_int3},
      {"int4", 4, &Kernels::gemv_int4, &Kernels::decode_int4},
      {"int8", 8, &Kernels::gemv_int8, &Kernels::decode_int8},
      {"nf4", 4, &Kernels::gemv_table4, &Kernels::decode_table4, &grids::named("nf4")},
      {"fp8", 8, &Kernels::gemv_float8, &Kernels::decode_float8, &grids::named("fp8")}};
  return list;
}

// Rows of random codes, among them all that `bits` allow, scales of both signs and zeros that need
// not be whole. The blocks end where the vector ends.
struct Sample {
  std::size_t rows, groups, blocks_per_group;
  std::vector<std::uint8_t> blocks;
  std::vector<float> scales, zeros;

  const float* table;

  Sample(const Kind& kind, std::size_t row_count, std::size_t group_count, std::size_t per_group)
      : rows(row_count),
        groups(group_count),
        blocks_per_group(per_group),
        table(kind.grid != nullptr ? kind.grid->codebook.data() : nullptr) {
    const Format& format = kind.format();
    const std::size_t levels =
        kind.grid != nullptr ? kind.grid->used_levels() : std::size_t{1} << format.bits;
    Random random(rows * 100 + groups * 10 + per_group);
    const std::size_t count = rows * groups * blocks_per_group;
    blocks.resize(count * format.block_bytes);
    for (std::size_t b = 0; b < count; ++b) {
      std::uint8_t codes[kBlockCodes];
      for (std::size_t i = 0; i < kBlockCodes; ++i)
        codes[i] = static_cast<std::uint8_t>((b == 0 ? i * 8 + 5 : random.bits()) % levels);
      format.pack(codes, blocks.data() + b * format.block_bytes);
    }
    scales = random_floats(rows * groups, 21);
    zeros = random_floats(rows * groups, 22);
    for (float& zero : zeros) zero = (zero + 2) * static_cast<float>(1 << format.bits) / 4;
  }
  PackedRows view() const {
    return {blocks.data(), scales.data(), zeros.data(), groups, blocks_per_group, table};
  }
  std::size_t slots() const { return groups * blocks_per_group * kBlockCodes; }
};

struct Size {
  std::size_t rows, groups, blocks_per_group;
};
const Size kSizes[] = {{1, 1, 1}, {2, 3, 1}, {3, 1, 5}, {4, 2, 4}, {5, 3, 2}, {9, 7, 1}};

class PackedKernels : public testing::TestWithParam<TableUnderTest> {};

TEST_P(PackedKernels, DecodeExactlyTheDefinition) {
  for (const Kind& kind : kinds())
    for (const Size& size : kSizes) {
      const Sample sample(kind, size.rows, size.groups, size.blocks_per_group);
      const PackedRows rows = sample.view();
      const std::size_t stride = sample.slots() + 3;
      std::vector<float> values(sample.rows * stride, -9.0f), expected = values;
      kind.of(*GetParam().table).decode(&rows, sample.rows, values.data(), stride);
      kind.of(scalar::table).decode(&rows, sample.rows, expected.data(), stride);
      EXPECT_EQ(values, expected) << kind.name << " rows " << size.rows;
    }
}

TEST_P(PackedKernels, MultiplyAsTheDefinitionDoes) {
  for (const Kind& kind : kinds())
    for (const Size& size : kSizes) {
      const Sample sample(kind, size.rows, size.groups, size.blocks_per_group);
      const PackedRows rows = sample.view();
      const auto x = random_floats(sample.slots(), 23);
      std::vector<float> sums(sample.groups), y(sample.rows), expected(sample.rows);
      for (std::size_t i = 0; i < x.size(); ++i)
        sums[i / (sample.blocks_per_group * kBlockCodes)] += x[i];
      kind.of(*GetParam().table).gemv(&rows, x.data(), sums.data(), sample.rows, y.data());
      kind.of(scalar::table).gemv(&rows, x.data(), sums.data(), sample.rows, expected.data());
      // |scale| · |code| · |x| is at most 2 · 2^bits · 2 for each slot.
      const double largest = kind.grid != nullptr ? kind.grid->codebook.back() : 1 << kind.bits;
      const double terms = 4.0 * largest * static_cast<double>(sample.slots());
      for (std::size_t r = 0; r < sample.rows; ++r)
        EXPECT_NEAR(y[r], expected[r], 1e-6 * terms) << kind.name << " row " << r;
    }
}

TEST_P(PackedKernels, AOneInEverySlotPicksItsOwnCode) {
  for (const Kind& kind : kinds()) {
    const Sample sample(kind, 1, 1, 1);
    const float scale = 1, zero = 0, sum = 1;
    const PackedRows row{sample.blocks.data(), &scale, &zero, 1, 1, sample.table};
    std::uint8_t codes[kBlockCodes];
    kind.format().unpack(sample.blocks.data(), codes);
    for (std::size_t slot = 0; slot < kBlockCodes; ++slot) {
      float x[kBlockCodes] = {}, y = -1;
      x[slot] = 1;
      kind.of(*GetParam().table).gemv(&row, x, &sum, 1, &y);
      EXPECT_EQ(y, kind.value(codes[slot])) << kind.name << " slot " << slot;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, PackedKernels, testing::ValuesIn(tables_under_test()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PackedKernels);

}  // namespace
}  // namespace nibble
