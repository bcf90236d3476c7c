// The 16 values of 4-bit floats of 1 sign, 2 exponent and 1 mantissa bits (E2M1 of OCP's
// microscaling specification), rising; code 7 is −0.
#pragma once

#include <array>

namespace nibble::grids {

inline constexpr std::array<float, 16> kFloat4Values = {-6.0f, -4.0f, -3.0f, -2.0f, -1.5f, -1.0f,
                                                        -0.5f, -0.0f, 0.0f,  0.5f,  1.0f,  1.5f,
                                                        2.0f,  3.0f,  4.0f,  6.0f};

}  // namespace nibble::grids
