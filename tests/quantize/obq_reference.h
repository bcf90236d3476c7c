// Optimal Brain Quantization (Frantar & Alistarh 2022, arXiv 2208.11580, alg. 3): per row, always
// the weight whose rounding costs least, its error spread over all that are left with the exact
// inverse of what is left of H. Doubles throughout; for small layers, as a yardstick for GPTQ.
#pragma once

#include <cmath>
#include <vector>

#include "quantize/layer/rounder.h"
#include "quantize/method.h"

namespace nibble::test {

// The inverse of a symmetric positive matrix [n, n], by Gauss and Jordan.
inline std::vector<double> inverse_of(std::vector<double> a, std::size_t n) {
  std::vector<double> inverse(n * n);
  for (std::size_t i = 0; i < n; ++i) inverse[i * n + i] = 1;
  for (std::size_t pivot = 0; pivot < n; ++pivot) {
    const double scale = 1 / a[pivot * n + pivot];
    for (std::size_t c = 0; c < n; ++c) {
      a[pivot * n + c] *= scale;
      inverse[pivot * n + c] *= scale;
    }
    for (std::size_t r = 0; r < n; ++r) {
      if (r == pivot) continue;
      const double factor = a[r * n + pivot];
      for (std::size_t c = 0; c < n; ++c) {
        a[r * n + c] -= factor * a[pivot * n + c];
        inverse[r * n + c] -= factor * inverse[pivot * n + c];
      }
    }
  }
  return inverse;
}

// Chooses the codes for the scales and zeros that `codes` has. `damping`: share of the mean
// diagonal added to H.
inline void obq(const Task& task, double damping, Codes& codes) {
  const std::size_t n = task.weight.columns;
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += task.hessian(i, i) / static_cast<double>(n);
  std::vector<double> damped(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      damped[i * n + j] = task.hessian(i, j) + (i == j ? damping * mean : 0);
  const std::vector<double> start = inverse_of(damped, n);
  const auto rounder = make_rounder(*task.grid, task.storable, task.options);
  for (std::size_t r = 0; r < task.weight.rows; ++r) {
    std::vector<double> inverse = start;
    std::vector<double> w(task.weight.row(r), task.weight.row(r) + n);
    std::vector<bool> done(n);
    const auto rounded = [&](std::size_t c) {
      const GroupParams params = codes.params(r, codes.group_of(c));
      const auto weight = static_cast<float>(w[c]);
      const Code code = rounder->nearest(&weight, params);
      return std::pair(code, static_cast<double>(task.grid->value(code, params)));
    };
    for (std::size_t step = 0; step < n; ++step) {
      std::size_t best = n;
      double least = 0;
      for (std::size_t c = 0; c < n; ++c) {
        if (done[c]) continue;
        const double lost = w[c] - rounded(c).second;
        const double cost = lost * lost / inverse[c * n + c];
        if (best == n || cost < least) {
          best = c;
          least = cost;
        }
      }
      const auto [code, value] = rounded(best);
      codes.set_code(r, best, code);
      const double error = (w[best] - value) / inverse[best * n + best];
      done[best] = true;
      for (std::size_t c = 0; c < n; ++c)
        if (!done[c]) w[c] -= error * inverse[c * n + best];
      // H without the row and column of this weight.
      const std::vector<double> column = [&] {
        std::vector<double> values(n);
        for (std::size_t c = 0; c < n; ++c) values[c] = inverse[c * n + best];
        return values;
      }();
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
          if (!done[i] && !done[j]) inverse[i * n + j] -= column[i] * column[j] / column[best];
    }
  }
}

}  // namespace nibble::test
