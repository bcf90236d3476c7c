// Three values: scale · (code − 2), code 1 … 3. As codes of int2 whose zero is the middle they lie
// in all files that hold those; GGUF's TQ1_0, TQ2_0 and Q2_0 have room for nothing else.
#include "formats/grid.h"

namespace nibble::grids {

extern const Grid ternary{
    .name = "ternary", .summary = "-1, 0 and 1 times a scale", .bits = 2, .centred = true};

}  // namespace nibble::grids
