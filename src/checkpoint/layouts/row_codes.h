// Codes that lie along the rows of their matrix, as most layouts have them; only what stands beside
// them differs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "formats/stored_codes.h"

namespace nibble::layouts {

// Scales and zeros of a matrix. For several threads at once.
class RowScales {
 public:
  virtual ~RowScales() = default;
  virtual std::size_t bytes() const = 0;
  // Those of one row: group g's go to scales[g · kRowsTogether], zeros[g · kRowsTogether].
  virtual void read(std::size_t row, float* scales, float* zeros) const = 0;
};

// In memory of their own: [rows, groups] each; no zeros: all are `middle`.
std::unique_ptr<RowScales> float_scales(const CodeShape& shape, std::vector<float> scales,
                                        std::vector<float> zeros, float middle);

// Each row a dense stream of 2 to 6 or 8 bits in words of its own (formats/bitstream.h).
std::unique_ptr<StoredCodes> packed_rows(CodeShape shape, std::span<const std::byte> words,
                                         std::unique_ptr<RowScales> scales);
// A signed byte each: the code less the middle of its grid.
std::unique_ptr<StoredCodes> byte_rows(CodeShape shape, std::span<const std::byte> codes,
                                       std::unique_ptr<RowScales> scales);

}  // namespace nibble::layouts
