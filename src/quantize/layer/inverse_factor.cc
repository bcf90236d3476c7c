#include "quantize/layer/inverse_factor.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <vector>

#include "base/parallel.h"

namespace nibble {
namespace {

constexpr int kTile = 128;

// A square matrix of doubles in row-major tiles' worth of steps.
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

// The inverse of a lower triangular matrix, column of tiles by column of tiles.
Square invert(Square& lower) {
  Square inverse(lower.n);
  parallel_for(static_cast<std::size_t>(lower.tiles()), [&](std::size_t index) {
    const int j = static_cast<int>(index), sj = lower.size(j), fj = lower.first(j);
    for (int d = 0; d < sj; ++d) *inverse.at(fj + d, fj + d) = 1;
    for (int i = j; i < lower.tiles(); ++i) {
      double* target = inverse.at(lower.first(i), fj);
      for (int k = j; k < i; ++k)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, lower.size(i), sj, lower.size(k), -1,
                    lower.at(lower.first(i), lower.first(k)), lower.n,
                    inverse.at(lower.first(k), fj), lower.n, 1, target, lower.n);
      cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, lower.size(i),
                  sj, 1, lower.at(lower.first(i), lower.first(i)), lower.n, target, lower.n);
    }
  });
  return inverse;
}

}  // namespace

std::optional<Tensor> inverse_factor(ConstMatrix hessian) {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
  const int n = static_cast<int>(hessian.rows);
  Square reversed(n);
  parallel_ranges(hessian.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c <= r; ++c)
        *reversed.at(static_cast<int>(r), static_cast<int>(c)) =
            hessian(hessian.rows - 1 - r, hessian.rows - 1 - c);
  });
  if (!factor(reversed)) return std::nullopt;
  Square inverse = invert(reversed);
  reversed = Square(0);  // the largest of what a job holds
  Tensor upper(hessian.rows, hessian.rows);
  bool finite = true;
  for (int d = 0; d < n; ++d) finite &= std::isfinite(*inverse.at(d, d)) && *inverse.at(d, d) > 0;
  if (!finite) return std::nullopt;
  parallel_ranges(hessian.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < hessian.rows; ++c)
        upper.view()(r, c) = c < r ? 0.0f
                                   : static_cast<float>(*inverse.at(n - 1 - static_cast<int>(r),
                                                                    n - 1 - static_cast<int>(c)));
  });
  return upper;
}

}  // namespace nibble
