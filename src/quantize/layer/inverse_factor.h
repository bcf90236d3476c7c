// The matrix that error feedback needs.
#pragma once

#include <optional>

#include "nibble/tensor.h"

namespace nibble {

// The upper triangular U with H⁻¹ = Uᵀ·U, for symmetric positive definite H [n, n]; none when H is
// not positive definite. Computed in double: with J the reversal of rows and columns, J·H·J = L·Lᵀ
// gives H = (J·L·J)(J·L·J)ᵀ, whose first factor is upper triangular, and U is its inverse. One
// factorisation and one triangular inverse instead of two factorisations and a full inverse.
// Uses all threads over fixed tiles.
std::optional<Tensor> inverse_factor(ConstMatrix hessian);

}  // namespace nibble
