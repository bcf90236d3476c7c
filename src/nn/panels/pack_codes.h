// Putting codes into the planes of a panel, a block at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/bitstream.h"
#include "formats/grid.h"
#include "kernels/panel_types.h"

namespace nibble {

// Is there a panel for codes of this grid?
bool has_code_panel(const Grid& grid);
// For evenly spaced codes of 2, 3, 4 or 8 bits whose zeros all are the middle, or not.
PanelType code_panel(int bits, bool fixed_zeros);
int panel_bits(PanelType type);
std::size_t panel_header_bytes(PanelType type);

// steps: eight words of four codes, one a byte, of row `lane` (FourWords: of rows lane … lane + 3).
// block: the first byte of its codes.
template <typename Word>
inline void put_steps(const Word* steps, int bits, std::size_t lane, std::uint8_t* block) {
  const auto put = [&](std::size_t plane, Word word) {
    __builtin_memcpy(block + 64 * plane + 4 * lane, &word, sizeof(word));
  };
  if (bits == 8) {
    for (std::size_t k = 0; k < 8; ++k) put(k, steps[k]);
    return;
  }
  std::size_t plane = 0;
  int done = 0;
  if (bits >= 4) {
    for (std::size_t k = 0; k < 4; ++k)
      put(k, (steps[k] & 0x0F0F0F0F) | (steps[k + 4] & 0x0F0F0F0F) << 4);
    plane = 4;
    done = 4;
  }
  if (bits - done >= 2) {
    for (std::size_t k = 0; k < 2; ++k) {
      Word word = steps[k] >> done & 0x03030303;
      for (std::size_t half = 1; half < 4; ++half)
        word |= (steps[k + 2 * half] >> done & 0x03030303) << static_cast<int>(2 * half);
      put(plane + k, word);
    }
    plane += 2;
    done += 2;
  }
  if (bits - done == 1) {
    Word word = steps[0] >> done & 0x01010101;
    for (int k = 1; k < 8; ++k) word |= (steps[k] >> done & 0x01010101) << k;
    put(plane, word);
  }
}

// A row that is not there: scales of 0.
void clear_panel_row(std::uint8_t* unit, std::size_t unit_bytes, std::size_t lane, PanelType type);

}  // namespace nibble
