// Panels of stored codes against panels packed one row at a time from a PackedMatrix.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "formats/format.h"
#include "nn/panels/pack_codes.h"
#include "nn/panels/panels.h"
#include "support/memory_codes.h"

namespace nibble {
namespace {

using test::MemoryCodes;

void put_half(float value, std::size_t row, std::uint8_t* halves) {
  const Half bits = float_to_half(value);
  std::memcpy(halves + 2 * row, &bits, sizeof(bits));
}

// One row of one block at a time.
std::unique_ptr<Panels> slowly_packed(const PackedMatrix& matrix) {
  const int bits = matrix.format->bits;
  const auto middle = static_cast<float>(1 << (bits - 1));
  const bool fixed = std::all_of(matrix.zeros.begin(), matrix.zeros.end(),
                                 [&](float zero) { return zero == middle; });
  const PanelType type = code_panel(bits, fixed);
  const float base = bits == 8 ? 128.0f : 0.0f;  // eight-bit zeros count from the middle
  auto panels = std::make_unique<Panels>(type, matrix.rows, matrix.groups, matrix.blocks_per_group);
  const std::size_t header = panel_header_bytes(type), unit_bytes = panels->unit_bytes();
  for (std::size_t row = 0; row < panels->panels() * kPanelRows; ++row) {
    const std::size_t lane = row % kPanelRows;
    const std::uint8_t* block = matrix.blocks.data() + row * matrix.row_bytes();
    for (std::size_t g = 0; g < matrix.groups; ++g) {
      std::uint8_t* unit = panels->panel(row / kPanelRows) + g * unit_bytes;
      if (row >= matrix.rows) {
        clear_panel_row(unit, unit_bytes, lane, type);
        continue;
      }
      put_half(matrix.scales[row * matrix.groups + g], lane, unit);
      if (!fixed) put_half(matrix.zeros[row * matrix.groups + g] - base, lane, unit + 32);
      for (std::size_t b = 0; b < matrix.blocks_per_group; ++b) {
        std::uint8_t codes[kBlockCodes];
        std::uint32_t steps[8];
        matrix.format->unpack(block, codes);
        block += matrix.format->block_bytes;
        std::memcpy(steps, codes, sizeof(steps));
        put_steps(steps, bits, lane, unit + header + b * 64 * static_cast<std::size_t>(bits));
      }
    }
  }
  return panels;
}

TEST(StoredPanels, AreByteForByteThoseOfThePackedMatrix) {
  test::for_all_kinds_of_codes([](const Codes& codes) {
    const auto found = panels_of(MemoryCodes(codes), slot_order(codes));
    const auto expected = slowly_packed(pack(codes));
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->type(), expected->type());
    ASSERT_EQ(found->bytes(), expected->bytes());
    EXPECT_EQ(std::memcmp(found->panel(0), expected->panel(0), found->bytes()), 0) << codes.bits();
  });
}

TEST(StoredPanels, AreRefusedForScalesThatFloat16CannotHold) {
  Codes codes = test::random_codes(40, 64, 4, 32, true);
  codes.scales[39 * 2 + 1] = 0.1f;
  EXPECT_EQ(panels_of(MemoryCodes(codes), slot_order(codes)), nullptr);
}

}  // namespace
}  // namespace nibble
