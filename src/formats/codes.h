// One weight matrix as small integers. What methods choose, layouts store and kernels run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nibble/tensor.h"

namespace nibble {

// The shape of a matrix of codes, and which columns share a scale and a zero.
struct CodeShape {
  std::size_t rows = 0;
  std::size_t columns = 0;
  int bits = 0;
  std::size_t group_size = 0;             // columns in a group; the last group may be shorter
  std::vector<std::int32_t> group_index;  // [columns], empty: column / group_size

  std::size_t groups() const { return (columns + group_size - 1) / group_size; }
  std::size_t group_of(std::size_t column) const {
    return group_index.empty() ? column / group_size
                               : static_cast<std::size_t>(group_index[column]);
  }
};

// weight[r, c] = scale[r, g] · (code[r, c] − zero[r, g])  with g = group_of(c).
struct Codes : CodeShape {
  std::vector<std::uint8_t> codes;  // [rows, columns]
  std::vector<float> scales;        // [rows, groups]; may be negative
  std::vector<float> zeros;         // [rows, groups]; in code units

  std::span<std::uint8_t> row(std::size_t r) { return {codes.data() + r * columns, columns}; }
  std::span<const std::uint8_t> row(std::size_t r) const {
    return {codes.data() + r * columns, columns};
  }
};

// Codes with room for everything, zeros and scales 0.
Codes make_codes(std::size_t rows, std::size_t columns, int bits, std::size_t group_size);

// The definition: the float weights of rows [first, first + out.rows); out [rows, columns].
void decode_rows(const Codes& codes, std::size_t first, Matrix out);

}  // namespace nibble
