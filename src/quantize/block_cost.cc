#include "quantize/block_cost.h"

namespace nibble {

BlockCost block_cost(const HyperParams& hyper, std::size_t tokens, std::size_t followed,
                     std::size_t length, bool hessian) {
  const double n = static_cast<double>(tokens), extra = static_cast<double>(followed),
               d = static_cast<double>(hyper.hidden), f = static_cast<double>(hyper.mlp_hidden),
               q = static_cast<double>(hyper.heads * hyper.head_dim),
               kv = static_cast<double>(hyper.kv_heads * hyper.head_dim);
  BlockCost cost;
  const double weights = d * (2 * q + 2 * kv) + 3 * d * f;
  // Scores and mixing touch half of the positions on average.
  cost.forward = 2 * (n + extra) * (weights + q * static_cast<double>(length));
  if (!hessian) return cost;
  const double squares = 2 * d * d + q * q + f * f;
  const double cubes = 2 * d * d * d + q * q * q + f * f * f;
  // Row updates: rows · columns² each.
  const double rows = (q + 2 * kv) * d * d + d * q * q + 2 * f * d * d + d * f * f;
  cost.hessian = n * squares;
  cost.solve = rows + 2.0 / 3.0 * cubes;
  if (followed == 0) return cost;
  // The drift is not symmetric; then drift · Uᵀ · U after another factor, and W · that.
  cost.hessian += 2 * extra * squares;
  cost.solve += 2 * rows + (4 + 2.0 / 3.0) * cubes;
  return cost;
}

}  // namespace nibble
