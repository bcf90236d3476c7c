#include "quantize/layer/inverse_factor.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>
#include <vector>

#include "base/parallel.h"

namespace nibble {
namespace {

constexpr int kTile = 128;

// A square matrix of doubles, row-major, that is gone through in tiles.
struct Square {
  int n = 0;
  std::vector<double> values;
  explicit Square(int size)
      : n(size), values(static_cast<std::size_t>(size) * static_cast<std::size_t>(size)) {}
  double* at(int row, int column) {
    return values.data() + static_cast<std::size_t>(row) * static_cast<std::size_t>(n) + column;
  }
  int tiles() const { return (n + kTile - 1) / kTile; }
  int first(int tile) const { return tile * kTile; }
  int size(int tile) const { return std::min(kTile, n - tile * kTile); }
};

// Lower Cholesky factor of one tile on the diagonal, row by row. False when not positive definite.
bool factor_tile(Square& a, int first, int size) {
  for (int i = first; i < first + size; ++i)
    for (int j = first; j <= i; ++j) {
      double sum = *a.at(i, j);
      for (int k = first; k < j; ++k) sum -= *a.at(i, k) * *a.at(j, k);
      if (i != j) {
        *a.at(i, j) = sum / *a.at(j, j);
      } else if (sum > 0 && std::isfinite(sum)) {
        *a.at(i, i) = std::sqrt(sum);
      } else {
        return false;
      }
    }
  return true;
}

// Lower Cholesky factor in place, right-looking by tiles. False when not positive definite.
bool factor(Square& a) {
  for (int k = 0; k < a.tiles(); ++k) {
    const int fk = a.first(k), sk = a.size(k);
    if (!factor_tile(a, fk, sk)) return false;
    const int below = a.tiles() - k - 1;
    parallel_for(static_cast<std::size_t>(below), [&](std::size_t index) {
      const int i = k + 1 + static_cast<int>(index);
      cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, a.size(i), sk, 1,
                  a.at(fk, fk), a.n, a.at(a.first(i), fk), a.n);
    });
    parallel_for(
        static_cast<std::size_t>(below) * (static_cast<std::size_t>(below) + 1) / 2,
        [&](std::size_t index) {
          int row = 0;
          while (static_cast<std::size_t>(row + 1) * static_cast<std::size_t>(row + 2) / 2 <= index)
            ++row;
          const int column = static_cast<int>(index) - row * (row + 1) / 2;
          const int i = k + 1 + row, j = k + 1 + column;
          cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, a.size(i), a.size(j), sk, -1,
                      a.at(a.first(i), fk), a.n, a.at(a.first(j), fk), a.n, 1,
                      a.at(a.first(i), a.first(j)), a.n);
        });
  }
  return true;
}

// The inverse of the lower triangular tile on the diagonal, in its place; zeros above it.
void invert_tile(Square& a, int first, int size) {
  std::vector<double> inverse(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
  for (int d = 0; d < size; ++d) inverse[static_cast<std::size_t>(d * size + d)] = 1;
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, size, size, 1,
              a.at(first, first), a.n, inverse.data(), size);
  for (int r = 0; r < size; ++r)
    std::copy_n(inverse.data() + r * size, size, a.at(first + r, first));
}

// The inverse of a lower triangular matrix, in its place: columns of tiles from the last to the
// first, X_ij = −(Σ_k X_ik · L_kj) · X_jj over the tiles j < k ≤ i, whose X_ik are there already.
void invert(Square& a) {
  std::vector<double> column(static_cast<std::size_t>(a.n) * kTile);
  for (int j = a.tiles() - 1; j >= 0; --j) {
    const int fj = a.first(j), sj = a.size(j), below = a.tiles() - 1 - j, next = fj + sj;
    invert_tile(a, fj, sj);
    parallel_for(static_cast<std::size_t>(below), [&](std::size_t index) {
      const int i = j + 1 + static_cast<int>(index);
      for (int r = a.first(i); r < a.first(i) + a.size(i); ++r)
        std::copy_n(a.at(r, fj), sj, column.data() + static_cast<std::ptrdiff_t>(r - next) * sj);
    });
    parallel_for(static_cast<std::size_t>(below), [&](std::size_t index) {
      const int i = a.tiles() - 1 - static_cast<int>(index);  // the most work first
      double* target = a.at(a.first(i), fj);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, a.size(i), sj,
                  a.first(i) + a.size(i) - next, -1, a.at(a.first(i), next), a.n, column.data(), sj,
                  0, target, a.n);
      cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, a.size(i), sj,
                  1, a.at(fj, fj), a.n, target, a.n);
    });
  }
}

double mean_diagonal(ConstMatrix hessian) {
  double mean = 0;
  for (std::size_t i = 0; i < hessian.rows; ++i) mean += static_cast<double>(hessian(i, i));
  return mean / static_cast<double>(hessian.rows);
}

// The lower triangle of J·H·J.
Square reversed(const Damped& damped) {
  const ConstMatrix h = damped.hessian;
  const auto added = static_cast<float>(damped.damping * mean_diagonal(h));
  const auto place = [&](std::size_t position) {
    return damped.order.empty() ? position : damped.order[position];
  };
  Square result(static_cast<int>(h.rows));
  parallel_ranges(h.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t row = place(h.rows - 1 - r);
      double* out = result.at(static_cast<int>(r), 0);
      const bool live = h(row, row) > 0;
      for (std::size_t c = 0; live && c < r; ++c) {
        const std::size_t column = place(h.rows - 1 - c);
        out[c] = h(column, column) > 0 ? static_cast<double>(h(row, column)) : 0;
      }
      // What is no number is left to be found by the factorisation.
      out[r] = h(row, row) <= 0 ? 1 : static_cast<double>(h(row, row) + added);
    }
  });
  return result;
}

}  // namespace

std::optional<Tensor> inverse_factor(const Damped& damped) {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
  Square square = reversed(damped);
  if (!factor(square)) return std::nullopt;
  invert(square);
  for (int d = 0; d < square.n; ++d)
    if (const double value = *square.at(d, d); !std::isfinite(value) || value <= 0)
      return std::nullopt;
  const auto n = static_cast<std::size_t>(square.n);
  Tensor upper(n, n);
  parallel_ranges(n, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      float* out = upper.view().row(r);
      const double* from = square.at(square.n - 1 - static_cast<int>(r), 0);
      std::fill_n(out, r, 0.0f);
      for (std::size_t c = r; c < n; ++c) out[c] = static_cast<float>(from[n - 1 - c]);
    }
  });
  return upper;
}

std::optional<DampedFactor> damped_factor(Damped damped) {
  constexpr int kSteps = 12;
  const double mean = mean_diagonal(damped.hessian);
  if (!std::isfinite(mean) || mean <= 0) return std::nullopt;
  for (int step = 0; step < kSteps; ++step) {
    if (auto upper = inverse_factor(damped))
      return DampedFactor{std::move(*upper), damped.damping, step > 0};
    damped.damping = std::max(damped.damping * 10, 1e-6);
  }
  return std::nullopt;
}

}  // namespace nibble
