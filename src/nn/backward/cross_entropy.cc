#include "nn/backward/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/backward/linear_gradient.h"

namespace nibble {
namespace {

// Rows with a label, together.
struct Chunk {
  std::vector<std::size_t> rows;
  Tensor hidden, logits;
};

// −ln p of each row's label. With `scale`, logits become the gradient of scale times the sum.
void losses_of(Matrix logits, std::span<const std::size_t> rows,
               std::span<const std::int32_t> labels, const float* scale, std::span<double> losses) {
  parallel_ranges(logits.rows, 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      float* row = logits.row(r);
      const auto label = static_cast<std::size_t>(labels[rows[r]]);
      float max = 0;
      const float sum = kernels().exp_sum(row, logits.columns, &max);
      losses[r] = std::log(static_cast<double>(sum)) + max - row[label];
      if (scale == nullptr) continue;
      kernels().softmax(row, logits.columns);
      row[label] -= 1;  // in float32, before anything is rounded
      for (std::size_t c = 0; c < logits.columns; ++c) row[c] *= *scale;
    }
  });
}

Loss run(const Linear& head, ConstMatrix hidden, std::span<const std::int32_t> labels,
         const float* scale, Matrix dhidden, Matrix dhead, Compute compute) {
  NIBBLE_ASSERT(labels.size() == hidden.rows);
  Loss loss;
  std::vector<double> losses(kHeadTokens);
  Chunk chunk;
  for (std::size_t next = 0; next < hidden.rows;) {
    chunk.rows.clear();
    for (; next < hidden.rows && chunk.rows.size() < kHeadTokens; ++next)
      if (labels[next] != kNoLabel) chunk.rows.push_back(next);
    const std::size_t count = chunk.rows.size();
    if (count == 0) break;
    if (chunk.hidden.rows() != count) {
      chunk.hidden = Tensor(count, hidden.columns);
      chunk.logits = Tensor(count, head.outputs());
    }
    for (std::size_t r = 0; r < count; ++r)
      std::copy_n(hidden.row(chunk.rows[r]), hidden.columns, chunk.hidden.view().row(r));
    head.forward(chunk.hidden.view(), chunk.logits.view(), compute);
    losses_of(chunk.logits.view(), chunk.rows, labels, scale, losses);
    for (std::size_t r = 0; r < count; ++r) loss.sum += losses[r];
    loss.tokens += count;
    if (scale == nullptr) continue;
    if (dhead.rows != 0) add_weight_gradient(chunk.hidden.view(), chunk.logits.view(), dhead);
    Tensor back(count, hidden.columns);
    back.fill(0);
    head.add_input_gradient(chunk.logits.view(), back.view(), compute);
    for (std::size_t r = 0; r < count; ++r)
      std::copy_n(back.view().row(r), hidden.columns, dhidden.row(chunk.rows[r]));
  }
  return loss;
}

}  // namespace

Loss cross_entropy(const Linear& head, ConstMatrix hidden, std::span<const std::int32_t> labels,
                   Compute compute) {
  return run(head, hidden, labels, nullptr, {}, {}, compute);
}

Loss cross_entropy_gradient(const Linear& head, ConstMatrix hidden,
                            std::span<const std::int32_t> labels, float scale, Matrix dhidden,
                            Matrix dhead, Compute compute) {
  for (std::size_t r = 0; r < dhidden.rows; ++r) std::fill_n(dhidden.row(r), dhidden.columns, 0.0f);
  return run(head, hidden, labels, &scale, dhidden, dhead, compute);
}

}  // namespace nibble
