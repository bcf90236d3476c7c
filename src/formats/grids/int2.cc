#include "formats/grid.h"

namespace nibble::grids {

extern const Grid int2{.name = "int2", .summary = "4 evenly spaced values", .bits = 2};

}  // namespace nibble::grids
