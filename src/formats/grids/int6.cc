#include "formats/grid.h"

namespace nibble::grids {

extern const Grid int6{.name = "int6", .summary = "64 evenly spaced values", .bits = 6};

}  // namespace nibble::grids
