// The 16 uneven values of GGUF's IQ4_NL and IQ4_XS.
#include "formats/blocks/uneven_levels.h"
#include "formats/grid.h"

namespace nibble::grids {

extern const Grid iq4{.name = "iq4",
                      .summary = "16 values closer together near zero, GGUF's",
                      .bits = 4,
                      .codebook = block_formats::kUnevenLevels};

}  // namespace nibble::grids
