#include "quantize/layer/moments.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/inputs/bfloat16_rows.h"
#include "nn/matmul.h"
#include "quantize/layer/inverse_factor.h"

namespace nibble {
namespace {

constexpr std::size_t kTile = 128;

void for_rows(std::size_t rows, const std::function<void(std::size_t)>& row) {
  parallel_ranges(rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) row(r);
  });
}

// out = a · b, [m, k] · [k, n], over fixed tiles of rows.
Tensor product(ConstMatrix a, ConstMatrix b) {
  Tensor out(a.rows, b.columns);
  parallel_ranges(a.rows, kTile, [&](std::size_t begin, std::size_t end) {
    matmul_plain(a.rows_at(begin, end - begin), b, out.view().rows_at(begin, end - begin));
  });
  return out;
}

// out = a · bᵀ
Tensor product_transposed(ConstMatrix a, ConstMatrix b) {
  Tensor out(a.rows, b.rows);
  parallel_ranges(a.rows, kTile, [&](std::size_t begin, std::size_t end) {
    matmul(a.rows_at(begin, end - begin), b, out.view().rows_at(begin, end - begin));
  });
  return out;
}

void scale(Matrix matrix, float factor) {
  for_rows(matrix.rows, [&](std::size_t r) {
    for (float& value : matrix.row_span(r)) value *= factor;
  });
}

}  // namespace

Moments::Moments(std::size_t columns, Compute compute, bool drift)
    : compute_(compute), sum_(columns, columns) {
  sum_.fill(0);
  if (!drift) return;
  drift_ = Tensor(columns, columns);
  drift_.fill(0);
}

void Moments::add(ConstMatrix inputs, ConstMatrix wanted) {
  using Rounded = MatrixView<const std::uint16_t>;
  const bool round = compute_ != Compute::kFloat32;
  const auto small = round ? to_bfloat16(inputs) : std::vector<std::uint16_t>();
  const Rounded rounded(small.data(), inputs.rows, inputs.columns);
  tokens_ += inputs.rows;
  round ? add_gram(rounded, sum_.view()) : add_gram(inputs, sum_.view());
  if (wanted.rows == 0) return;
  drift_tokens_ += inputs.rows;
  Tensor difference(inputs.rows, inputs.columns);
  const Matrix lost = difference.view();
  for_rows(inputs.rows, [&](std::size_t r) {
    for (std::size_t c = 0; c < inputs.columns; ++c) lost(r, c) = wanted(r, c) - inputs(r, c);
  });
  if (round)
    add_cross(Rounded(to_bfloat16(lost).data(), lost.rows, lost.columns), rounded, drift_.view());
  else
    add_cross(lost, inputs, drift_.view());
}

void Moments::finish() {
  const Matrix sum = sum_.view();
  const float share = 1.0f / static_cast<float>(std::max<std::size_t>(1, tokens_));
  for_rows(sum.rows, [&](std::size_t r) {
    for (std::size_t c = 0; c <= r; ++c) sum(r, c) *= share;
  });
  // Into the upper triangle after all of the lower one is final.
  for_rows(sum.rows, [&](std::size_t r) {
    for (std::size_t c = r + 1; c < sum.columns; ++c) sum(r, c) = sum(c, r);
  });
  scale(drift_.view(), 1.0f / static_cast<float>(std::max<std::size_t>(1, drift_tokens_)));
}

Tensor drift_correction(ConstMatrix hessian, ConstMatrix drift, double damping, double share) {
  const auto factor = inverse_factor({hessian, {}, damping});
  if (!factor) return Tensor();
  // H⁻¹ = UᵀU
  const Tensor half = product_transposed(drift, factor->view());
  Tensor correction = product(half.view(), factor->view());
  scale(correction.view(), static_cast<float>(share));
  return correction;
}

void correct_drift(Matrix weight, ConstMatrix correction) {
  const Tensor change = product(weight, correction);
  for_rows(weight.rows, [&](std::size_t r) {
    kernels().add_scaled(1, change.view().row(r), weight.row(r), weight.columns);
  });
}

}  // namespace nibble
