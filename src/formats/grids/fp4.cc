// The 4-bit floats of bitsandbytes: eight magnitudes in twelfths of the largest, 0, 1/16, 2, 3, 4,
// 6, 8, 12, each with both signs, so that 0 is there twice. Each is the float32 nearest to the
// fraction, as the library has it.
#include <array>

#include "formats/grid.h"

namespace nibble::grids {
namespace {

constexpr float kSmallest = 0.0625f / 12;
constexpr std::array<float, 16> kLevels = {
    -1.0f, -8.0f / 12, -0.5f,     -4.0f / 12, -0.25f,    -2.0f / 12, -kSmallest, -0.0f,
    0.0f,  kSmallest,  2.0f / 12, 0.25f,      4.0f / 12, 0.5f,       8.0f / 12,  1.0f};

}  // namespace

extern const Grid fp4{.name = "fp4",
                      .summary = "8 magnitudes of a 4-bit float with signs",
                      .bits = 4,
                      .codebook = kLevels};

}  // namespace nibble::grids
