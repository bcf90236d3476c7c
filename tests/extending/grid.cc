// A worked example of docs/extending.md: in the tree this would be src/formats/grids/thirds.cc.
#include "formats/grid.h"

#include <array>

namespace nibble::grids {
namespace {

constexpr std::array<float, 4> kLevels = {-1.0f, -1.0f / 3, 1.0f / 3, 1.0f};

}  // namespace

extern const Grid thirds{.name = "thirds",
                         .summary = "4 values from -1 to 1, none of them 0",
                         .bits = 2,
                         .codebook = kLevels};

}  // namespace nibble::grids
