#include "formats/grid.h"

namespace nibble::grids {

extern const Grid int4{.name = "int4", .summary = "16 evenly spaced values", .bits = 4};

}  // namespace nibble::grids
