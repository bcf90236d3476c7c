#include "train/lora_gradient.h"

#include "base/parallel.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

constexpr std::size_t kTokens = 64;

void scale(float factor, Tensor& values) {
  for (std::size_t i = 0; i < values.size(); ++i) values.data()[i] *= factor;
}

}  // namespace

// With u = x·Aᵀ, g = dy (times the rows' factors) and s the scale: dB += s·gᵀ·u, dA += s·(g·B)ᵀ·x.
void LoraGradient::add(ConstMatrix x, ConstMatrix dy, Compute compute) {
  const LowRank& added = layer_.added();
  Tensor scaled;
  if (!magnitude_.empty()) {
    Tensor y(x.rows, layer_.outputs());
    layer_.forward(x, y.view(), compute);
    const float* bias = layer_.bias();
    // y − b = m·(V·x)/‖V‖: what m is multiplied with is that over m.
    parallel_ranges(y.columns(), 256, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = 0; r < y.rows(); ++r)
        for (std::size_t c = begin; c < end; ++c) {
          const float m = added.magnitude[c];
          const float value = y.view()(r, c) - (bias == nullptr ? 0 : bias[c]);
          if (m != 0) magnitude_[c] += dy(r, c) * value / m;
        }
    });
    scaled = layer_.scaled(dy);
    dy = scaled.view();
  }
  Tensor inner(x.rows, added.rank()), back(x.rows, added.rank());
  parallel_ranges(x.rows, kTokens, [&](std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    matmul(x.rows_at(begin, count), added.a.view(), inner.view().rows_at(begin, count));
    matmul_plain(dy.rows_at(begin, count), added.b.view(), back.view().rows_at(begin, count));
  });
  scale(added.scale, inner);
  scale(added.scale, back);
  add_cross(dy, ConstMatrix(inner.view()), b_);
  add_cross(ConstMatrix(back.view()), x, a_);
}

}  // namespace nibble
