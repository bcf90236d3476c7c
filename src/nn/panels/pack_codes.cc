#include "nn/panels/pack_codes.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "kernels/scalar/panels.h"
#include "nn/panels/panels.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr int kPanelBits[kPanelTypes] = {
#define PANEL(name, bits, table, scheme, offset) bits,
#include "kernels/panels.def"
#undef PANEL
};

bool all_halves(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](float value) { return half_to_float(float_to_half(value)) == value; });
}

void put_half(float value, std::size_t row, std::uint8_t* halves) {
  const std::uint16_t bits = float_to_half(value);
  std::memcpy(halves + 2 * row, &bits, sizeof(bits));
}

}  // namespace

PanelType code_panel(int bits, bool fixed_zeros) {
  switch (bits) {
    case 2:
      return fixed_zeros ? kPanel_int2 : kPanel_int2_zero;
    case 3:
      return fixed_zeros ? kPanel_int3 : kPanel_int3_zero;
    case 4:
      return fixed_zeros ? kPanel_int4 : kPanel_int4_zero;
    default:
      return fixed_zeros ? kPanel_int8 : kPanel_int8_zero;
  }
}

int panel_bits(PanelType type) { return kPanelBits[type]; }
std::size_t panel_header_bytes(PanelType type) { return scalar::panel_unit_bytes(type, 0); }

void clear_panel_row(std::uint8_t* unit, std::size_t unit_bytes, std::size_t lane, PanelType type) {
  const std::size_t header = panel_header_bytes(type);
  const std::size_t halves = header > 32 && (header == 64 || header == 320) ? 64 : 32;
  for (std::size_t at = 0; at < halves; at += 32) put_half(0, lane, unit + at);
  for (std::size_t at = halves; at < header; at += 16) unit[at + lane] = 0;
  for (std::size_t at = header; at < unit_bytes; at += 64) std::memset(unit + at + 4 * lane, 0, 4);
}

std::unique_ptr<Panels> panels_of(const PackedMatrix& matrix) {
  if (!all_halves(matrix.scales) || !all_halves(matrix.zeros)) return nullptr;
  const int bits = matrix.format->bits;
  const auto middle = static_cast<float>(1 << (bits - 1));
  const bool fixed = std::all_of(matrix.zeros.begin(), matrix.zeros.end(),
                                 [&](float zero) { return zero == middle; });
  const PanelType type = code_panel(bits, fixed);
  // Eight-bit zeros count from the middle, so that codes can be signed bytes.
  const float base = bits == 8 ? 128.0f : 0.0f;
  auto panels = std::make_unique<Panels>(type, matrix.rows, matrix.groups, matrix.blocks_per_group);
  const std::size_t header = panel_header_bytes(type), unit_bytes = panels->unit_bytes();
  parallel_ranges(panels->panels(), 4, [&](std::size_t begin, std::size_t end) {
    std::uint8_t codes[kBlockCodes];
    std::uint32_t steps[8];
    for (std::size_t p = begin; p < end; ++p)
      for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
        const std::size_t row = p * kPanelRows + lane;
        std::uint8_t* unit = panels->panel(p);
        if (row >= matrix.rows) {
          for (std::size_t g = 0; g < matrix.groups; ++g, unit += unit_bytes)
            clear_panel_row(unit, unit_bytes, lane, type);
          continue;
        }
        const std::uint8_t* block = matrix.blocks.data() + row * matrix.row_bytes();
        for (std::size_t g = 0; g < matrix.groups; ++g, unit += unit_bytes) {
          put_half(matrix.scales[row * matrix.groups + g], lane, unit);
          if (!fixed) put_half(matrix.zeros[row * matrix.groups + g] - base, lane, unit + 32);
          for (std::size_t b = 0; b < matrix.blocks_per_group; ++b) {
            matrix.format->unpack(block, codes);
            block += matrix.format->block_bytes;
            std::memcpy(steps, codes, sizeof(steps));
            put_steps(steps, bits, lane, unit + header + b * 64 * static_cast<std::size_t>(bits));
          }
        }
      }
  });
  return panels;
}

}  // namespace nibble
