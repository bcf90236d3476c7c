#include "quantize/block_cost.h"

#include <initializer_list>
#include <utility>

namespace nibble {

ModuleCost module_cost(double rows, double columns, bool polished) {
  constexpr double kSweeps = 4;  // of polishing; most layers take all of them
  const double product = rows * columns * columns;
  // Feedback touches half of the columns; the error is measured of W and of what it lost.
  return {.solve = 2.0 / 3.0 * columns * columns * columns,
          .products = product + 4 * product + (polished ? (1 + kSweeps) * 2 * product : 0)};
}

BlockCost block_cost(const HyperParams& hyper, std::size_t tokens, std::size_t followed,
                     std::size_t length, bool hessian, bool polished) {
  const double n = static_cast<double>(tokens), extra = static_cast<double>(followed),
               d = static_cast<double>(hyper.hidden), f = static_cast<double>(hyper.mlp_hidden),
               q = static_cast<double>(hyper.heads * hyper.head_dim),
               kv = static_cast<double>(hyper.kv_heads * hyper.head_dim);
  BlockCost cost;
  const double weights = d * (2 * q + 2 * kv) + 3 * d * f;
  // Scores and mixing touch half of the positions on average.
  cost.forward = 2 * (n + extra) * (weights + q * static_cast<double>(length));
  if (!hessian) return cost;
  // Of the stages' inputs.
  const double squares = 2 * d * d + q * q + f * f;
  const double cubes = 2 * d * d * d + q * q * q + f * f * f;
  // Rows · columns² of all modules, which factor the Hessian each for itself.
  double rows = 0;
  for (const auto& [outputs, inputs] :
       {std::pair{q, d}, {kv, d}, {kv, d}, {d, q}, {f, d}, {f, d}, {d, f}}) {
    const ModuleCost own = module_cost(outputs, inputs, polished);
    cost.solve += own.solve;
    cost.products += own.products;
    rows += outputs * inputs * inputs;
  }
  cost.hessian = n * squares;
  if (followed == 0) return cost;
  // The drift is not symmetric; then drift · Uᵀ · U after another factor, and W · that.
  cost.hessian += 2 * extra * squares;
  cost.solve += 2.0 / 3.0 * cubes;
  cost.products += 4 * cubes + 2 * rows;
  return cost;
}

}  // namespace nibble
