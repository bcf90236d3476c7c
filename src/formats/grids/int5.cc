// 32 evenly spaced values: scale · (code − zero), code 0 … 31.
#include "formats/grid.h"

namespace nibble::grids {

extern const Grid int5{.name = "int5", .summary = "32 evenly spaced values", .bits = 5};

}  // namespace nibble::grids
