#include "formats/grid.h"

namespace nibble::grids {

extern const Grid int8{.name = "int8", .summary = "256 evenly spaced values", .bits = 8};

}  // namespace nibble::grids
