// 256 evenly spaced values: scale · (code − zero), code 0 … 255.
#include "formats/grid.h"

namespace nibble::grids {

extern const Grid int8{.name = "int8", .summary = "256 evenly spaced values", .bits = 8};

}  // namespace nibble::grids
