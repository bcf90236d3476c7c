// 4-bit floats whose groups are scaled by 8-bit floats, as NVIDIA's NVFP4 has them.
#include "formats/grid.h"
#include "formats/grids/float4.h"

namespace nibble::grids {

extern const Grid nvfp4{.name = "nvfp4",
                        .summary = "16 values of 4-bit floats; scales are 8-bit floats",
                        .bits = 4,
                        .codebook = kFloat4Values,
                        .even_ties = true};

}  // namespace nibble::grids
