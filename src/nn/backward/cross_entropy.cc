#include "nn/backward/cross_entropy.h"

#include <cmath>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {

Loss cross_entropy(const Linear& head, ConstMatrix hidden, std::span<const std::int32_t> labels,
                   Compute compute, const HeadGradient* to) {
  const auto losses_of = [&](std::span<const std::size_t> rows, Matrix logits, const float* scale,
                             std::span<double> losses) {
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
  };
  return head_loss(head, hidden, labels, to, compute, losses_of);
}

}  // namespace nibble
