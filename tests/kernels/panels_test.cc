// Panel kernels of each instruction set against the scalar ones, random codes and extreme ones.
#include "kernels/scalar/panels.h"

#include <cmath>
#include <cstring>

#include "kernels/panel_samples.h"
#include "kernels/tables_under_test.h"

namespace nibble {
namespace {

class PanelKernelsOf : public testing::TestWithParam<TableUnderTest> {
 protected:
  const Kernels& table() const { return *GetParam().table; }
};

TEST_P(PanelKernelsOf, MultiplyAsTheDefinitionDoes) {
  for (const bool extreme : {false, true})
    for (int type = 0; type < kPanelTypes; ++type)
      for (const std::size_t rows : {1u, 2u, 3u, 5u, 8u, 11u}) {
        const PanelSample sample(type, extreme);
        const ByteSample x(rows, sample.blocks(), extreme);
        const PanelRows w = sample.view();
        const ByteRows in = x.view();
        const std::size_t stride = sample.panels * 16 + 5;
        std::vector<float> y(rows * stride), expected(y);
        table().panels[type].product(&w, 0, sample.panels, &in, rows, y.data(), stride);
        scalar::table.panels[type].product(&w, 0, sample.panels, &in, rows, expected.data(),
                                           stride);
        expect_near(y, expected, 1e-5, kPanelForms[type].name);
      }
}

TEST_P(PanelKernelsOf, ExpandToTheSameDenseOperand) {
  for (int type = 0; type < kPanelTypes; ++type) {
    const PanelSample sample(type, false);
    const PanelRows w = sample.view();
    const std::size_t blocks = sample.blocks();
    std::vector<std::uint8_t> codes(blocks * 512), expected_codes(codes);
    std::vector<float> scales(blocks * 16), lows(scales), expected_scales(scales),
        expected_lows(scales);
    table().panels[type].expand(&w, 1, codes.data(), scales.data(), lows.data());
    scalar::table.panels[type].expand(&w, 1, expected_codes.data(), expected_scales.data(),
                                      expected_lows.data());
    const DenseForm form = kPanelForms[type].dense;
    const bool rounded = kPanelForms[type].scales >= kSuper16;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const std::size_t at = i / 512 * 16 + i % 64 / 4;
      // Where sub-scales are rounded into the codes, each side chose a scale of its own: one step
      // of the coarser one.
      const float value = scales[at] * static_cast<float>(codes[i] - form.offset);
      const float wanted =
          expected_scales[at] * static_cast<float>(expected_codes[i] - form.offset);
      const float step = std::max(std::fabs(scales[at]), std::fabs(expected_scales[at]));
      ASSERT_NEAR(value, wanted, (rounded ? 1.01f : 1e-5f) * step) << kPanelForms[type].name << i;
    }
    // The definition finds a low as the difference of terms up to 128 times as large.
    if (form.has_lows) expect_near(lows, expected_lows, 128 * 1e-6, kPanelForms[type].name);
  }
}

TEST_P(PanelKernelsOf, LargeProductsAreThoseOfTheDefinition) {
  const std::size_t width = table().gemm_columns, blocks = 5, rows = 2 * width + 1;
  for (const bool extreme : {false, true})
    for (const DenseForm form : {DenseForm{4, 8, 0}, DenseForm{4, 0, 1}, DenseForm{5, 16, 0},
                                 DenseForm{5, 0, 1}, DenseForm{8, 128, 0}, DenseForm{8, 128, 1}})
      for (const std::size_t panels : {1u, 2u, 3u}) {
        Random random(9);
        std::vector<std::uint8_t> codes(panels * blocks * 512);
        for (auto& code : codes)
          code = static_cast<std::uint8_t>(extreme ? (1 << form.bits) - 1
                                                   : (1 << form.bits) * random.uniform());
        if (extreme) codes[7] = 0;
        const auto scales = random_floats(panels * blocks * 16, 3);
        const auto lows = random_floats(panels * blocks * 16, 4);
        const DensePanels w{codes.data(), scales.data(), form.has_lows ? lows.data() : nullptr,
                            blocks};
        const ByteSample x(rows, blocks, extreme);
        const auto tiled = [&](std::size_t columns, const Kernels& kernels) {
          const std::size_t tiles = (rows + columns - 1) / columns;
          std::vector<std::int8_t> in(tiles * columns * blocks * 32);
          std::vector<float> in_scales(tiles * columns * blocks), in_sums(in_scales);
          std::vector<std::int32_t> starts(in_scales.size());
          for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t b = 0; b < blocks; ++b) {
              const std::size_t tile = r / columns, c = r % columns;
              const std::size_t at = (tile * blocks + b) * columns + c;
              const int sum = x.sums[2 * (r * blocks + b)] + x.sums[2 * (r * blocks + b) + 1];
              in_scales[at] = x.scales[r * blocks + b];
              starts[at] = -form.offset * sum;
              in_sums[at] = in_scales[at] * static_cast<float>(sum);
              for (std::size_t k = 0; k < 8; ++k)
                std::memcpy(&in[((tile * blocks + b) * 8 + k) * columns * 4 + c * 4],
                            &x.codes[(r * blocks + b) * 32 + 4 * k], 4);
            }
          const ByteTiles view{in.data(), in_scales.data(), starts.data(), in_sums.data()};
          std::vector<float> y(rows * (panels * 16 + 1), 3.0f);
          kernels.int8_gemm(&w, form, panels, &view, 0, tiles, rows, y.data(), panels * 16 + 1);
          return y;
        };
        expect_near(tiled(width, table()), tiled(1, scalar::table), 1e-5, "form");
      }
}

TEST_P(PanelKernelsOf, RoundToTheSameBytes) {
  auto x = random_floats(32 * 9, 12);
  for (std::size_t i = 64; i < 96; ++i) x[i] = 0;
  x[100] = 1e30f;
  std::vector<std::int8_t> codes(x.size()), expected_codes(x.size());
  std::vector<float> scales(9), expected_scales(9);
  std::vector<std::int32_t> sums(18), expected_sums(18);
  table().round_to_bytes(x.data(), 9, codes.data(), scales.data(), sums.data());
  scalar::table.round_to_bytes(x.data(), 9, expected_codes.data(), expected_scales.data(),
                               expected_sums.data());
  EXPECT_EQ(codes, expected_codes);
  EXPECT_EQ(scales, expected_scales);
  EXPECT_EQ(sums, expected_sums);
}

INSTANTIATE_TEST_SUITE_P(Tables, PanelKernelsOf, testing::ValuesIn(tables_under_test()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PanelKernelsOf);

}  // namespace
}  // namespace nibble
