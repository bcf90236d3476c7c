// Codes of float grids as files hold them: sign and magnitude instead of rising values.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "formats/stored_codes.h"

namespace nibble::layouts {

// fp8, mxfp4 or nvfp4?
bool is_float_grid(const Grid& grid);

// Where a matrix of float codes lies; everything lies there as long as the codes are read.
struct FloatParts {
  std::span<const std::byte> codes;  // fp8: a byte each; else two, the first in the low nibble
  std::span<const std::byte> scales;
  DType scale_type = DType::kF32;  // bytes are powers of two
  std::size_t rows_together = 1;   // rows that share their scales; rows of the matrix: all
  float divisor = 1;               // of all scales
};

// One scale for each `rows_together` rows and group. Throws kCorruptFile naming module and tensor
// when there is another number of scales, or one is not finite; read_codes when a weight of fp8 is
// not a number.
std::unique_ptr<StoredCodes> float_codes(const CodeShape& shape, const std::string& module,
                                         const TensorInfo& scales, FloatParts parts);

// The codes of a matrix as such bytes.
std::vector<std::byte> float_code_bytes(const Codes& codes);

// Storable::together of scales that 128 rows share: the largest of them, which cuts nothing.
void share_scales_of_rows(Codes& codes);
inline constexpr std::size_t kRowsOfBlock = 128;
inline std::size_t blocks_of_rows(std::size_t rows) {
  return (rows + kRowsOfBlock - 1) / kRowsOfBlock;
}
// The scales of such codes, [rows / 128, groups].
std::vector<float> scales_of_rows(const Codes& codes);

}  // namespace nibble::layouts
