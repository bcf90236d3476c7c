// Panels and rows of bytes with random codes, or the most extreme ones.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/scalar/panels.h"
#include "tensor/half.h"

namespace nibble {

struct PanelForm {
  const char* name;
  int bits;
  PanelScales scales;
  DenseForm dense;
};
inline const PanelForm kPanelForms[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) \
  {#name, bits, scales, dense_form(bits, table, scales, offset)},
#include "kernels/panels.def"
#undef PANEL
};

// Three panels of three units, every byte random, or every code byte 255.
struct PanelSample {
  PanelType type;
  std::size_t panels = 3, units = 3, blocks_per_unit;
  std::vector<std::uint8_t> bytes;

  PanelSample(int index, bool extreme) : type(static_cast<PanelType>(index)) {
    const PanelScales scales = kPanelForms[type].scales;
    blocks_per_unit = scales >= kSuper32 ? kSuperBlocks : 4;
    const std::size_t unit = scalar::panel_unit_bytes(type, blocks_per_unit);
    const std::size_t header = scalar::panel_unit_bytes(type, 0);
    const bool two = scales != kGroup && scales != kSuper32 && scales != kSuper16;
    bytes.resize(panels * units * unit);
    Random random(static_cast<std::uint64_t>(index) + 1);
    for (std::size_t at = 0; at < bytes.size(); ++at)
      bytes[at] = extreme && at % unit >= header
                      ? std::uint8_t{255}
                      : static_cast<std::uint8_t>(256 * random.uniform());
    for (std::size_t u = 0; u < panels * units; ++u)
      for (std::size_t i = 0; i < (two ? 32u : 16u); ++i) {
        const auto half = float_to_half(static_cast<float>(random.uniform() - 0.3));
        std::memcpy(bytes.data() + u * unit + 2 * i, &half, 2);
      }
  }
  PanelRows view() const { return {bytes.data(), bytes.size() / panels, units, blocks_per_unit}; }
  std::size_t blocks() const { return units * blocks_per_unit; }
};

struct ByteSample {
  std::size_t rows, blocks;
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  std::vector<std::int32_t> sums;

  ByteSample(std::size_t row_count, std::size_t block_count, bool extreme)
      : rows(row_count),
        blocks(block_count),
        codes(rows * blocks * 32),
        scales(rows * blocks),
        sums(rows * blocks * 2) {
    Random random(77);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i] = extreme ? (i / 64 % 2 ? std::int8_t{-127} : std::int8_t{127})
                         : static_cast<std::int8_t>(255 * random.uniform() - 127);
      sums[i / 16] += codes[i];
    }
    for (float& scale : scales) scale = static_cast<float>(random.uniform());
  }
  ByteRows view() const { return {codes.data(), scales.data(), sums.data(), blocks}; }
};

inline void expect_near(const std::vector<float>& found, const std::vector<float>& expected,
                        double share, const std::string& what) {
  double top = 0;
  for (const float value : expected) top = std::max(top, std::fabs(double{value}));
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], share * top) << what << " at " << i;
}

}  // namespace nibble
