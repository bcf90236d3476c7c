// The 16 levels of the IQ4 formats: closer together near zero, where most weights are.
#pragma once

#include <array>

namespace nibble::block_formats {

inline constexpr std::array<float, 16> kUnevenLevels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                        1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace nibble::block_formats
