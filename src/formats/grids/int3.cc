#include "formats/grid.h"

namespace nibble::grids {

extern const Grid int3{.name = "int3", .summary = "8 evenly spaced values", .bits = 3};

}  // namespace nibble::grids
