#include "nn/lora_linear.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/parallel.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"
#include "nn/row_tiles.h"

namespace nibble {
namespace {

constexpr std::size_t kTokens = 64, kRows = 64;

// y += scale·(x·Aᵀ)·Bᵀ
void add_branch(const LowRank& added, ConstMatrix x, Matrix y) {
  const std::size_t rank = added.rank();
  if (x.rows <= kFewTokens) {  // row by row: each gives the same whatever stands beside it
    std::vector<float> inner(rank), outer(y.columns);
    for (std::size_t t = 0; t < x.rows; ++t) {
      kernels().gemv_float(added.a.data(), x.columns, x.row(t), rank, x.columns, inner.data());
      kernels().gemv_float(added.b.data(), rank, inner.data(), y.columns, rank, outer.data());
      kernels().add_scaled(added.scale, outer.data(), y.row(t), y.columns);
    }
    return;
  }
  parallel_ranges(x.rows, kTokens, [&](std::size_t begin, std::size_t end) {
    Tensor inner(end - begin, rank), outer(end - begin, y.columns);
    matmul(x.rows_at(begin, end - begin), added.a.view(), inner.view());
    matmul(ConstMatrix(inner.view()), added.b.view(), outer.view());
    for (std::size_t r = 0; r < outer.rows(); ++r)
      kernels().add_scaled(added.scale, outer.view().row(r), y.row(begin + r), y.columns);
  });
}

// Between the branch of a magnitude and the bias, which it leaves alone.
void scale_columns(const std::vector<float>& factors, const float* bias, Matrix y) {
  parallel_ranges(y.rows, kTokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < y.columns; ++c) {
        const float added = bias == nullptr ? 0 : bias[c];
        y(r, c) = (y(r, c) - added) * factors[c] + added;
      }
  });
}

}  // namespace

LoraLinear::LoraLinear(std::unique_ptr<Linear> base, std::shared_ptr<const LowRank> added)
    : base_(std::move(base)), added_(std::move(added)) {
  NIBBLE_ASSERT(added_->a.columns() == inputs() && added_->b.rows() == outputs());
  NIBBLE_ASSERT(added_->b.columns() == added_->rank());
  NIBBLE_ASSERT(added_->magnitude.empty() || added_->magnitude.size() == outputs());
  refresh();
}

std::size_t LoraLinear::bytes() const {
  const std::size_t values = added_->a.size() + added_->b.size() + added_->magnitude.size();
  return base_->bytes() + values * sizeof(float);
}

std::string LoraLinear::kind() const {
  return cat(base_->kind(), added_->magnitude.empty() ? " + LoRA " : " + DoRA ", added_->rank());
}

void LoraLinear::refresh() {
  if (added_->magnitude.empty()) return;
  factors_.resize(outputs());
  parallel_ranges(outputs(), kRows, [&](std::size_t begin, std::size_t end) {
    Tensor rows(end - begin, inputs());
    decode_sum(begin, rows.view());
    for (std::size_t r = 0; r < rows.rows(); ++r) {
      const float length = std::sqrt(kernels().square_sum(rows.view().row(r), inputs()));
      // A row of zeros has no direction, whatever its length shall be.
      factors_[begin + r] = length == 0 ? 0 : added_->magnitude[begin + r] / length;
    }
  });
}

void LoraLinear::forward(const LayerInput& x, Matrix y, Compute compute) const {
  base_->forward(x, y, compute);
  add_branch(*added_, x.values(), y);
  if (!factors_.empty()) scale_columns(factors_, bias(), y);
}

void LoraLinear::decode_sum(std::size_t first, Matrix out) const {
  base_->decode(first, out);
  Tensor left(out.rows, added_->rank());
  for (std::size_t r = 0; r < out.rows; ++r)
    for (std::size_t i = 0; i < left.columns(); ++i)
      left.view()(r, i) = added_->scale * added_->b.view()(first + r, i);
  add_matmul_plain(ConstMatrix(left.view()), added_->a.view(), out);
}

void LoraLinear::decode(std::size_t first, Matrix out) const {
  decode_sum(first, out);
  if (factors_.empty()) return;
  for (std::size_t r = 0; r < out.rows; ++r)
    for (std::size_t c = 0; c < out.columns; ++c) out(r, c) *= factors_[first + r];
}

Tensor LoraLinear::scaled(ConstMatrix dy) const {
  Tensor out(dy.rows, dy.columns);
  parallel_ranges(dy.rows, kTokens, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < dy.columns; ++c) out.view()(r, c) = dy(r, c) * factors_[c];
  });
  return out;
}

void LoraLinear::add_input_gradient(ConstMatrix dy, Matrix dx, Compute compute) const {
  Tensor storage;
  if (!factors_.empty()) {
    storage = scaled(dy);
    dy = storage.view();
  }
  base_->add_input_gradient(dy, dx, compute);
  parallel_ranges(dy.rows, kTokens, [&](std::size_t begin, std::size_t end) {
    Tensor inner(end - begin, added_->rank());
    matmul_plain(dy.rows_at(begin, end - begin), added_->b.view(), inner.view());
    for (std::size_t i = 0; i < inner.size(); ++i) inner.data()[i] *= added_->scale;
    add_matmul_plain(ConstMatrix(inner.view()), added_->a.view(), dx.rows_at(begin, end - begin));
  });
}

}  // namespace nibble
