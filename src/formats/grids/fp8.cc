// 8-bit floats, E4M3: 254 values from −448 to 448, rising; code 126 is −0. The last two codes stand
// for the two that are no numbers and have the largest value, which nothing rounds to them for.
#include <array>

#include "formats/float8.h"
#include "formats/grid.h"

namespace nibble::grids {
namespace {

constexpr std::array<float, 256> kValues = [] {
  std::array<float, 256> values{};
  for (int code = 0; code < 127; ++code) {
    values[static_cast<std::size_t>(126 - code)] =
        float8_to_float(static_cast<std::uint8_t>(0x80 | code));
    values[static_cast<std::size_t>(127 + code)] = float8_to_float(static_cast<std::uint8_t>(code));
  }
  values[254] = values[255] = kLargestFloat8;
  return values;
}();

}  // namespace

extern const Grid fp8{.name = "fp8",
                      .summary = "254 values of 8-bit floats with 3 mantissa bits (E4M3)",
                      .bits = 8,
                      .codebook = kValues,
                      .used = 254,
                      .even_ties = true};

}  // namespace nibble::grids
