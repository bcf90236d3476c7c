#include "formats/codes.h"

namespace nibble {

Codes make_codes(std::size_t rows, std::size_t columns, int bits, std::size_t group_size) {
  Codes codes;
  codes.rows = rows;
  codes.columns = columns;
  codes.bits = bits;
  codes.group_size = group_size;
  codes.codes.resize(rows * columns);
  codes.scales.resize(rows * codes.groups());
  codes.zeros.resize(rows * codes.groups());
  return codes;
}

void decode_rows(const Codes& codes, std::size_t first, Matrix out) {
  const std::size_t groups = codes.groups();
  for (std::size_t i = 0; i < out.rows; ++i) {
    const std::uint8_t* row = codes.row(first + i).data();
    const float* scales = codes.scales.data() + (first + i) * groups;
    const float* zeros = codes.zeros.data() + (first + i) * groups;
    for (std::size_t c = 0; c < codes.columns; ++c) {
      const std::size_t g = codes.group_of(c);
      out(i, c) = scales[g] * (static_cast<float>(row[c]) - zeros[g]);
    }
  }
}

}  // namespace nibble
