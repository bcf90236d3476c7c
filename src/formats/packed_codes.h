// Codes in memory, as many to a byte as fit, read as those of a checkpoint are.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/stored_codes.h"

namespace nibble {

class PackedCodes final : public StoredCodes {
 public:
  // Of grids of up to 8 bits and dimension 1.
  explicit PackedCodes(const Codes& codes);
  std::size_t bytes() const override;
  void read_codes(std::size_t first, std::size_t block, std::size_t count,
                  std::uint32_t* out) const override;
  void read_scales(std::size_t first, float* scales, float* zeros) const override;

 private:
  std::uint32_t four_codes(std::size_t row, std::size_t step) const;

  bool halves_;            // two codes in a byte, the first in its lower half
  std::size_t row_bytes_;  // whole steps of four codes
  std::vector<std::uint8_t> bytes_;
  std::vector<float> scales_, zeros_;  // [rows, groups]
};

}  // namespace nibble
