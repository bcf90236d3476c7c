// Grids and group sizes as they are typed.
#pragma once

#include <cstddef>
#include <string>

#include "formats/grid.h"

namespace nibble::cli {

// The widths of uniform grids: "2, 3, 4, 5, 6, 8".
std::string grid_widths();

// All throw kInvalidArgument; `option` is what the errors name.
const Grid& grid_of_bits(const std::string& option, int bits);
// "8", "int8", "nf4"
const Grid& grid_named(const std::string& option, const std::string& text);
// Columns; 0, one group for each row, is typed as -1.
std::size_t parse_group(const std::string& option, const std::string& text);

}  // namespace nibble::cli
