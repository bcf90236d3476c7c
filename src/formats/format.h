// How the codes of one row lie in memory at run time: blocks of 32 codes; scales and zeros lie
// beside them (PackedMatrix). Rows are padded to whole blocks. A format is a width: what the codes
// mean is the grid's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "formats/codes.h"

namespace nibble {

inline constexpr std::size_t kBlockCodes = 32;

struct Format {
  std::string_view name;  // "int4"
  int bits = 0;
  std::size_t block_bytes = 0;
  // codes: 32 values; block: block_bytes.
  void (*pack)(const std::uint8_t* codes, std::uint8_t* block) = nullptr;
  void (*unpack)(const std::uint8_t* block, std::uint8_t* codes) = nullptr;  // the definition
};

namespace formats {
std::span<const Format* const> all();
// The format that holds codes of 1 … 8 bits: one of list.def, which the kernels read, or else a
// dense stream. Throws kUnsupported.
const Format& with_bits(int bits);
// The one that codes of a grid run in: some widths take a byte for each code, for which there are
// kernels, rather than a dense stream.
const Format& running(const Grid& grid);
}  // namespace formats

// A matrix ready for the kernels. Columns are re-ordered so that each group is contiguous and
// padded to whole blocks; `slots` says which input column each slot reads (−1: none, code = any,
// input 0). One mechanism serves act-order, odd group sizes and ragged rows.
struct PackedMatrix {
  const Format* format = nullptr;
  const Grid* grid = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;  // of the original matrix
  std::size_t groups = 0;
  std::size_t blocks_per_group = 0;
  std::vector<std::uint8_t> blocks;  // [rows, groups, blocks_per_group, block_bytes]
  std::vector<float> scales;         // [rows, groups]
  std::vector<float> zeros;          // [rows, groups]
  std::vector<std::int32_t> slots;  // [groups · blocks_per_group · 32]; empty: slot i is column i

  std::size_t slot_count() const { return groups * blocks_per_group * kBlockCodes; }
  std::size_t row_bytes() const { return groups * blocks_per_group * format->block_bytes; }
  std::size_t bytes() const;
};

// Throws kUnsupported (codes of over 8 bits or of several weights) and kInvalidArgument (group size
// or index).
PackedMatrix pack(const Codes& codes);

// Float weights of rows [first, first + out.rows) in the original column order.
void decode_rows(const PackedMatrix& matrix, std::size_t first, Matrix out);

}  // namespace nibble
