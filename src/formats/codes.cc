#include "formats/codes.h"

#include <algorithm>

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

bool zeros_in_the_middle(const Codes& codes) {
  const auto middle = static_cast<float>(codes.grid->levels() / 2);
  return !codes.grid->uniform() || std::all_of(codes.zeros.begin(), codes.zeros.end(),
                                               [&](float zero) { return zero == middle; });
}

void decode_rows(const Codes& codes, std::size_t first, Matrix out) {
  const Grid& grid = *codes.grid;
  const std::size_t groups = codes.groups(), per_row = codes.codes_per_row();
  if (grid.dimension == 1 && codes.code_bytes() == 1 && codes.group_index.empty()) {
    for (std::size_t i = 0; i < out.rows; ++i)
      for (std::size_t g = 0; g < groups; ++g) {
        const GroupParams params = codes.params(first + i, g);
        const std::uint8_t* row = codes.row(first + i).data();
        const std::size_t end = std::min((g + 1) * codes.group_size, codes.columns);
        if (grid.uniform())
          for (std::size_t c = g * codes.group_size; c < end; ++c)
            out.row(i)[c] = params.scale * (static_cast<float>(row[c]) - params.zero);
        else
          for (std::size_t c = g * codes.group_size; c < end; ++c)
            out.row(i)[c] = params.scale * grid.codebook[row[c]];
      }
    return;
  }
  for (std::size_t i = 0; i < out.rows; ++i) {
    const std::size_t row = first + i;
    float* weights = out.row(i);
    for (std::size_t k = 0; k < per_row; ++k, weights += grid.dimension)
      grid.values(codes.code(row, k),
                  codes.params_at(row * groups + codes.group_of(k * grid.dimension)), weights);
  }
}

}  // namespace nibble
