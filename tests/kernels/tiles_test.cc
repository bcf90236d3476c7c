// Tile registers' kernels against plain sums over the weights that panels stand for.
#include <cmath>
#include <cstring>

#include "base/aligned_vector.h"
#include "kernels/panel_samples.h"
#include "kernels/scalar/panels.h"
#include "kernels/tables_under_test.h"
#include "tensor/half.h"

namespace nibble {
namespace {

using Values = AlignedVector<std::uint16_t>;

class TileKernelsOf : public testing::TestWithParam<TableUnderTest> {
 protected:
  const TileKernels& tiles() const { return *GetParam().table->tiles; }
};

std::vector<TableUnderTest> tables_with_tiles() {
  std::vector<TableUnderTest> with;
  for (const TableUnderTest& one : tables_under_test())
    if (one.table->tiles != nullptr) with.push_back(one);
  return with;
}

// Element (row, column) of what panel_of_… and expand write.
std::uint16_t& in_panel(Values& panel, std::size_t row, std::size_t column) {
  return panel[column / 32 * 512 + column % 32 / 2 * 32 + row * 2 + column % 2];
}
// Element (row, column) of one tile of what pack_rows writes.
std::uint16_t& in_rows(Values& tile, std::size_t row, std::size_t column) {
  return tile[column / 32 * 512 + row * 32 + column % 32];
}

TEST_P(TileKernelsOf, PackRowsAndPanelsOfWholeAndPartTiles) {
  for (const std::size_t columns : {32u, 64u, 70u, 49u, 5u})
    for (const std::size_t rows : {1u, 7u, 16u}) {
      const std::size_t stride = columns + 3, blocks = (columns + 31) / 32;
      const auto x = random_floats(rows * stride, columns + rows);
      std::vector<std::uint16_t> halves(x.size()), bfloats(x.size());
      scalar::table.float_to_half(x.data(), halves.data(), x.size());
      scalar::table.float_to_bfloat16(x.data(), bfloats.data(), x.size());
      Values packed(blocks * 512, 7), floats(packed), of_halves(packed), of_bfloats(packed);
      tiles().pack_rows(x.data(), stride, rows, columns, packed.data());
      tiles().panel_of_float(x.data(), stride, rows, columns, floats.data());
      tiles().panel_of_half(halves.data(), stride, rows, columns, of_halves.data());
      tiles().panel_of_bfloat16(bfloats.data(), stride, rows, columns, of_bfloats.data());
      for (std::size_t r = 0; r < 16; ++r)
        for (std::size_t c = 0; c < blocks * 32; ++c) {
          const bool there = r < rows && c < columns;
          const std::uint16_t expected = there ? bfloats[r * stride + c] : std::uint16_t{0};
          ASSERT_EQ(in_rows(packed, r, c), expected) << r << " " << c;
          ASSERT_EQ(in_panel(floats, r, c), expected) << r << " " << c;
          ASSERT_EQ(in_panel(of_bfloats, r, c), expected) << r << " " << c;
          float value = 0;
          if (there) scalar::table.half_to_float(&halves[r * stride + c], &value, 1);
          ASSERT_EQ(in_panel(of_halves, r, c), float_to_bfloat16(value)) << r << " " << c;
        }
    }
}

TEST_P(TileKernelsOf, ExpandToTheNearestBfloat) {
  for (int type = 0; type < kPanelTypes; ++type) {
    const PanelSample sample(type, false);
    const PanelRows w = sample.view();
    Values panel(sample.blocks() * 512);
    tiles().expand[type](&w, 1, panel.data());
    std::vector<float> row(sample.blocks() * 32);
    for (std::size_t r = 0; r < 16; ++r) {
      scalar::panel_row(sample.type, w, 16 + r, row.data());
      double top = 0;
      for (const float value : row) top = std::max(top, std::fabs(double{value}));
      for (std::size_t c = 0; c < row.size(); ++c)
        ASSERT_NEAR(bfloat16_to_float(in_panel(panel, r, c)), row[c],
                    std::fabs(row[c]) / 256 + 1e-4 * top)
            << kPanelForms[type].name << " " << r << " " << c;
    }
  }
}

TEST_P(TileKernelsOf, MultiplyWithTheirRows) {
  for (const std::size_t rows : {1u, 15u, 16u, 17u, 32u, 33u, 70u})
    for (const std::size_t panels : {1u, 2u, 3u}) {
      const std::size_t blocks = 3, columns = blocks * 32, stride = panels * 16 + 3;
      const auto x = random_floats(rows * columns, 1), w = random_floats(panels * 16 * columns, 2);
      const std::size_t x_tiles = (rows + 15) / 16;
      Values in(x_tiles * blocks * 512), weights(panels * blocks * 512);
      for (std::size_t t = 0; t < x_tiles; ++t)
        tiles().pack_rows(x.data() + t * 16 * columns, columns,
                          std::min<std::size_t>(16, rows - t * 16), columns,
                          in.data() + t * blocks * 512);
      for (std::size_t p = 0; p < panels; ++p)
        tiles().panel_of_float(w.data() + p * 16 * columns, columns, 16, columns,
                               weights.data() + p * blocks * 512);
      std::vector<float> y(rows * stride, 3.0f);
      tiles().gemm(weights.data(), panels, in.data(), rows, blocks, y.data(), stride);
      const auto rounded = [](float value) { return bfloat16_to_float(float_to_bfloat16(value)); };
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t o = 0; o < stride; ++o) {
          double expected = 0, size = 0;
          for (std::size_t c = 0; o < panels * 16 && c < columns; ++c) {
            const double term = double{rounded(x[r * columns + c])} * rounded(w[o * columns + c]);
            expected += term;
            size += std::fabs(term);
          }
          if (o >= panels * 16) expected = 3;  // beyond the panels nothing is written
          ASSERT_NEAR(y[r * stride + o], expected, kSumTolerance * size) << r << " " << o;
        }
    }
}

TEST_P(TileKernelsOf, MultiplyBytesAsTheDefinitionDoes) {
  for (const bool extreme : {false, true})
    for (int type = 0; type < kPanelTypes; ++type)
      for (const std::size_t rows : {2u, 3u, 5u, 8u, 11u, 16u, 19u}) {
        const PanelSample sample(type, extreme);
        const ByteSample x(rows, sample.blocks(), extreme);
        const PanelRows w = sample.view();
        const ByteRows in = x.view();
        const std::size_t stride = sample.panels * 16 + 5;
        std::vector<float> y(rows * stride), expected(y);
        tiles().products[type](&w, 0, sample.panels, &in, rows, y.data(), stride);
        scalar::table.panels[type].product(&w, 0, sample.panels, &in, rows, expected.data(),
                                           stride);
        expect_near(y, expected, 1e-5, kPanelForms[type].name);
      }
}

INSTANTIATE_TEST_SUITE_P(Tables, TileKernelsOf, testing::ValuesIn(tables_with_tiles()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TileKernelsOf);

}  // namespace
}  // namespace nibble
