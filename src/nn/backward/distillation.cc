#include "nn/backward/distillation.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {
namespace {

double log_sum(const float* row, std::size_t columns) {
  float max = 0;
  const float sum = kernels().exp_sum(row, columns, &max);
  return std::log(static_cast<double>(sum)) + max;
}

// τ²·KL of one token. With `scale` its logits become the gradient of scale times that.
double loss_of(float* logits, float* teacher, std::vector<float>& shares, float temperature,
               const float* scale) {
  const std::size_t columns = shares.size();
  for (std::size_t c = 0; c < columns; ++c) {
    logits[c] /= temperature;
    teacher[c] /= temperature;
  }
  // KL = Σ p·(t − s) − ln Σ exp t + ln Σ exp s: no logarithm of a small share.
  const double sums = log_sum(logits, columns) - log_sum(teacher, columns);
  std::copy_n(teacher, columns, shares.data());
  kernels().softmax(shares.data(), columns);
  double between = 0;
  for (std::size_t c = 0; c < columns; ++c)
    between += static_cast<double>(shares[c]) * static_cast<double>(teacher[c] - logits[c]);
  if (scale != nullptr) {
    kernels().softmax(logits, columns);
    const float factor = *scale * temperature;
    for (std::size_t c = 0; c < columns; ++c) logits[c] = factor * (logits[c] - shares[c]);
  }
  return static_cast<double>(temperature) * static_cast<double>(temperature) * (between + sums);
}

}  // namespace

Loss distillation(const Linear& head, ConstMatrix hidden, const TeacherHead& teacher,
                  std::span<const std::int32_t> labels, Compute compute, const HeadGradient* to) {
  NIBBLE_ASSERT(teacher.head->outputs() == head.outputs() && teacher.hidden.rows == hidden.rows);
  Tensor some, taught;
  const auto losses_of = [&](std::span<const std::size_t> rows, Matrix logits, const float* scale,
                             std::span<double> losses) {
    if (some.rows() != rows.size()) {
      some = Tensor(rows.size(), teacher.hidden.columns);
      taught = Tensor(rows.size(), logits.columns);
    }
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::copy_n(teacher.hidden.row(rows[r]), some.columns(), some.view().row(r));
    teacher.head->forward(some.view(), taught.view(), compute);
    parallel_ranges(logits.rows, 4, [&](std::size_t begin, std::size_t end) {
      std::vector<float> shares(logits.columns);
      for (std::size_t r = begin; r < end; ++r)
        losses[r] =
            loss_of(logits.row(r), taught.view().row(r), shares, teacher.temperature, scale);
    });
  };
  return head_loss(head, hidden, labels, to, compute, losses_of);
}

}  // namespace nibble
