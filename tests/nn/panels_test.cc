// Panels hold exactly the weights of the blocks and codes they are made of, and multiply as those.
#include "nn/panels/panels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"
#include "kernels/scalar/panels.h"
#include "nn/panels/panel_ranges.h"
#include "support/memory_codes.h"

namespace nibble {
namespace {

std::vector<std::uint8_t> random_blocks(const BlockFormat& format, std::size_t count) {
  Random random(format.ggml_type + 1);
  std::vector<std::uint8_t> bytes(count * format.block_bytes);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(256 * random.uniform());
  // Any two bytes may be a float16: no exponent of infinity, so no high byte with all five set.
  for (auto& byte : bytes)
    if ((byte & 0x7C) == 0x7C) byte = static_cast<std::uint8_t>(byte & ~0x40);
  return bytes;
}

TEST(Panels, HoldTheWeightsOfTheirBlocks) {
  constexpr std::size_t kRows = 37;
  for (const BlockFormat* format : block_formats::all()) {
    const bool decoded = format->name == "TQ1_0" || format->name == "Q1_0" ||
                         format->name == "Q2_0" || format->name == "MXFP4" ||
                         format->name == "NVFP4";
    EXPECT_EQ(has_panels(*format), !decoded) << format->name;
    if (decoded) continue;  // where it is run
    const std::size_t columns = 2 * std::max<std::size_t>(format->block, 128);
    const auto bytes = random_blocks(*format, kRows * columns / format->block);
    std::vector<std::uint32_t> order(kRows);
    for (std::size_t r = 0; r < kRows; ++r) order[r] = static_cast<std::uint32_t>(r * 5 % kRows);
    const auto panels = panels_of(*format, bytes.data(), kRows, columns, order);
    ASSERT_NE(panels, nullptr) << format->name;
    std::vector<float> expected(columns), found(columns);
    for (std::size_t r = 0; r < kRows; ++r) {
      format->decode(bytes.data() + order[r] * format->row_bytes(columns), columns / format->block,
                     expected.data());
      scalar::panel_row(panels->type(), panels->view(), r, found.data());
      double top = 0;
      for (const float value : expected) top = std::max(top, std::fabs(double{value}));
      for (std::size_t c = 0; c < columns; ++c)
        ASSERT_NEAR(found[c], expected[c], 1e-6 * top) << format->name << " " << r << " " << c;
    }
  }
}

TEST(Panels, MultiplyAsTheirWeightsDo) {
  constexpr std::size_t kRows = 50, kColumns = 512;
  for (const BlockFormat* format : block_formats::all()) {
    if (!has_panels(*format)) continue;  // decoded where it is run
    const auto bytes = random_blocks(*format, kRows * kColumns / format->block);
    const PanelRanges panels(panels_of(*format, bytes.data(), kRows, kColumns, {}), nullptr);
    std::vector<float> weights(kRows * kColumns);
    format->decode(bytes.data(), weights.size() / format->block, weights.data());
    for (const std::size_t tokens : {1u, 7u, 40u}) {
      Tensor x(tokens, kColumns), y(tokens, kRows);
      Random random(5);
      for (std::size_t i = 0; i < x.size(); ++i)
        x.data()[i] = static_cast<float>(random.uniform() - 0.5);
      run_ranges(panels, x.view(), y.view());
      for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t r = 0; r < kRows; ++r) {
          double exact = 0, squares = 0;
          for (std::size_t c = 0; c < kColumns; ++c) {
            const double w = weights[r * kColumns + c];
            exact += w * x.view()(t, c);
            squares += w * w;
          }
          // Rounding x to bytes moves each element by up to 1/254 of its block's largest, half a
          // unit here; the errors of a row's columns are independent.
          EXPECT_NEAR(y.view()(t, r), exact, 5 * std::sqrt(squares) * 0.5 / 254) << format->name;
        }
    }
  }
}

TEST(Panels, HoldTheWeightsOfCodesWithAndWithoutFreeZeros) {
  for (const int bits : {2, 3, 4, 8})
    for (const bool symmetric : {true, false}) {
      const Codes codes = test::random_codes(35, 300, bits, 100, symmetric);
      const SlotOrder order = slot_order(codes);
      const auto panels = panels_of(test::MemoryCodes(codes), order);
      ASSERT_NE(panels, nullptr);
      Tensor expected(1, codes.columns);
      std::vector<float> found(order.slots.size());
      for (std::size_t r = 0; r < codes.rows; ++r) {
        decode_rows(codes, r, expected.view());
        scalar::panel_row(panels->type(), panels->view(), r, found.data());
        for (std::size_t slot = 0; slot < order.slots.size(); ++slot) {
          if (order.slots[slot] < 0) continue;
          ASSERT_NEAR(found[slot], expected.data()[order.slots[slot]], 1e-4)
              << bits << " " << r << " " << slot;
        }
      }
    }
}

}  // namespace
}  // namespace nibble
