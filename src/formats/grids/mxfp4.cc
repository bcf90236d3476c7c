// 4-bit floats whose groups are scaled by powers of two, as OCP's MXFP4 has them.
#include "formats/grid.h"
#include "formats/grids/float4.h"

namespace nibble::grids {

extern const Grid mxfp4{.name = "mxfp4",
                        .summary = "16 values of 4-bit floats; scales are powers of two",
                        .bits = 4,
                        .codebook = kFloat4Values,
                        .even_ties = true};

}  // namespace nibble::grids
