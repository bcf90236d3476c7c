#include "quantize/block_cost.h"

namespace nibble {

BlockCost block_cost(const HyperParams& hyper, std::size_t tokens, std::size_t followed,
                     std::size_t length, bool hessian, bool polished) {
  constexpr double kSweeps = 4;  // of polishing; most layers take all of them
  const double n = static_cast<double>(tokens), extra = static_cast<double>(followed),
               d = static_cast<double>(hyper.hidden), f = static_cast<double>(hyper.mlp_hidden),
               q = static_cast<double>(hyper.heads * hyper.head_dim),
               kv = static_cast<double>(hyper.kv_heads * hyper.head_dim);
  BlockCost cost;
  const double weights = d * (2 * q + 2 * kv) + 3 * d * f;
  // Scores and mixing touch half of the positions on average.
  cost.forward = 2 * (n + extra) * (weights + q * static_cast<double>(length));
  if (!hessian) return cost;
  // Of the stages' inputs, and of the modules, which factor the Hessian each for itself.
  const double squares = 2 * d * d + q * q + f * f;
  const double cubes = 2 * d * d * d + q * q * q + f * f * f;
  const double module_cubes = 5 * d * d * d + q * q * q + f * f * f;
  // Rows · columns² of each module.
  const double rows = (q + 2 * kv) * d * d + d * q * q + 2 * f * d * d + d * f * f;
  cost.hessian = n * squares;
  cost.solve = 2.0 / 3.0 * module_cubes;
  // Feedback touches half of the columns; the error is measured of W and of what it lost.
  cost.products = rows + 4 * rows;
  if (polished) cost.products += (1 + kSweeps) * 2 * rows;
  if (followed == 0) return cost;
  // The drift is not symmetric; then drift · Uᵀ · U after another factor, and W · that.
  cost.hessian += 2 * extra * squares;
  cost.solve += 2.0 / 3.0 * cubes;
  cost.products += 4 * cubes + 2 * rows;
  return cost;
}

}  // namespace nibble
