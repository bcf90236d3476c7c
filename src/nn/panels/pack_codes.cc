#include "nn/panels/pack_codes.h"

#include <cstring>

#include "kernels/scalar/panels.h"

namespace nibble {
namespace {

constexpr int kPanelBits[kPanelTypes] = {
#define PANEL(name, bits, table, scales, offset) bits,
#include "kernels/panels.def"
#undef PANEL
};

}  // namespace

bool has_code_panel(const Grid& grid) {
  return grid.uniform() && (grid.bits == 2 || grid.bits == 3 || grid.bits == 4 || grid.bits == 8);
}

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
  for (std::size_t at = 0; at < halves; at += 32) std::memset(unit + at + 2 * lane, 0, 2);
  for (std::size_t at = halves; at < header; at += 16) unit[at + lane] = 0;
  for (std::size_t at = header; at < unit_bytes; at += 64) std::memset(unit + at + 4 * lane, 0, 4);
}

}  // namespace nibble
