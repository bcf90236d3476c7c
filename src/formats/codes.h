// One weight matrix as small integers. What methods choose, layouts store and kernels run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "formats/grid.h"
#include "nibble/tensor.h"

namespace nibble {

// The shape of a matrix of codes, what they mean, and which columns share a scale and a zero.
struct CodeShape {
  const Grid* grid = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;                // weights in a row, a multiple of the grid's dimension
  std::size_t group_size = 0;             // columns in a group; the last group may be shorter
  std::vector<std::int32_t> group_index;  // [codes_per_row], empty: groups lie in order

  int bits() const { return grid->bits; }
  // Which code of its row stands for this column. Most grids have dimension 1, and a division would
  // cost more than the look at the code.
  std::size_t index_of(std::size_t column) const {
    return grid->dimension == 1 ? column : column / grid->dimension;
  }
  std::size_t codes_per_row() const { return index_of(columns); }
  std::size_t code_bytes() const { return grid->bits > 8 ? 2 : 1; }
  std::size_t groups() const { return (columns + group_size - 1) / group_size; }
  std::size_t group_of(std::size_t column) const {
    return group_index.empty() ? column / group_size
                               : static_cast<std::size_t>(group_index[index_of(column)]);
  }
};

struct Codes : CodeShape {
  std::vector<std::uint8_t> codes;  // [rows, codes_per_row, code_bytes], little-endian
  std::vector<float> scales;        // [rows, groups]; may be negative
  std::vector<float> zeros;         // [rows, groups]; in code units
  // A layout's own form of the scales, where it has rounded them together; its writer reads it.
  std::vector<std::uint8_t> stored_scales;

  // `index` counts the codes of a row.
  Code code(std::size_t r, std::size_t index) const {
    const std::size_t at = r * codes_per_row() + index;
    if (code_bytes() == 1) return codes[at];
    Code code;
    std::memcpy(&code, codes.data() + 2 * at, 2);
    return code;
  }
  void set_code(std::size_t r, std::size_t index, Code code) {
    const std::size_t at = r * codes_per_row() + index;
    if (code_bytes() == 1)
      codes[at] = static_cast<std::uint8_t>(code);
    else
      std::memcpy(codes.data() + 2 * at, &code, 2);
  }
  GroupParams params(std::size_t r, std::size_t group) const {
    return params_at(r * groups() + group);
  }
  void set_params(std::size_t r, std::size_t group, GroupParams params) {
    const std::size_t at = r * groups() + group;
    scales[at] = params.scale;
    zeros[at] = params.zero;
  }
  // For loops that know r · groups(), whose division would cost more than their work.
  GroupParams params_at(std::size_t at) const { return {scales[at], zeros[at]}; }

  // The codes of a row, of grids of up to 8 bits.
  std::span<std::uint8_t> row(std::size_t r) {
    return {codes.data() + r * codes_per_row(), codes_per_row()};
  }
  std::span<const std::uint8_t> row(std::size_t r) const {
    return {codes.data() + r * codes_per_row(), codes_per_row()};
  }
};

// Codes with room for everything, zeros and scales 0. `columns` is a multiple of the dimension.
Codes make_codes(const Grid& grid, std::size_t rows, std::size_t columns, std::size_t group_size);

// Are all zeros the middle of their grid? Of codebooks, which have none, true.
bool zeros_in_the_middle(const Codes& codes);

// Float weights of rows [first, first + out.rows); out [rows, columns].
void decode_rows(const Codes& codes, std::size_t first, Matrix out);

}  // namespace nibble
