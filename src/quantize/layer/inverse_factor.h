// The matrix that error feedback needs.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "nibble/tensor.h"

namespace nibble {

// H [n, n], symmetric, as its factor is wanted: in another order, and with a share of its mean
// diagonal added to the diagonal. Inputs that were always 0 have a diagonal of 1 and nothing
// beside it.
struct Damped {
  ConstMatrix hessian;
  std::span<const std::size_t> order = {};  // order[position] = row and column; empty: as they lie
  double damping = 0;
};

// The upper triangular U with H⁻¹ = Uᵀ·U; none when H is not positive definite. Computed in double:
// with J the reversal of rows and columns, J·H·J = L·Lᵀ gives H = (J·L·J)(J·L·J)ᵀ, whose first
// factor is upper triangular, and U is its inverse. One factorisation and one triangular inverse,
// both in place, instead of two factorisations and a full inverse. Uses all threads over fixed
// tiles, and 12 · n² bytes with the result.
std::optional<Tensor> inverse_factor(const Damped& damped);

struct DampedFactor {
  Tensor upper;
  double damping = 0;
  bool raised = false;
};
// With the asked damping, or ten times as much at each of a dozen steps until there is a factor.
std::optional<DampedFactor> damped_factor(Damped damped);

}  // namespace nibble
