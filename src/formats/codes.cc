#include "formats/codes.h"

namespace nibble {

Codes make_codes(const Grid& grid, std::size_t rows, std::size_t columns, std::size_t group_size) {
  Codes codes;
  codes.grid = &grid;
  codes.rows = rows;
  codes.columns = columns;
  codes.group_size = group_size;
  codes.codes.resize(rows * codes.codes_per_row() * codes.code_bytes());
  codes.scales.resize(rows * codes.groups());
  codes.zeros.resize(rows * codes.groups());
  return codes;
}

void decode_rows(const Codes& codes, std::size_t first, Matrix out) {
  const Grid& grid = *codes.grid;
  for (std::size_t i = 0; i < out.rows; ++i)
    for (std::size_t c = 0; c < codes.columns; c += grid.dimension)
      grid.values(codes.code(first + i, c / grid.dimension),
                  codes.params(first + i, codes.group_of(c)), &out(i, c));
}

}  // namespace nibble
