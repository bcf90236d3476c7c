#include "nn/backward/head_loss.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"
#include "nn/backward/linear_gradient.h"

namespace nibble {

Loss head_loss(const Linear& head, ConstMatrix hidden, std::span<const std::int32_t> labels,
               const HeadGradient* to, Compute compute, const RowLosses& losses_of) {
  NIBBLE_ASSERT(labels.size() == hidden.rows);
  if (to != nullptr)
    for (std::size_t r = 0; r < to->hidden.rows; ++r)
      std::fill_n(to->hidden.row(r), to->hidden.columns, 0.0f);
  Loss loss;
  std::array<double, kHeadTokens> losses{};
  std::vector<std::size_t> rows;
  Tensor some, logits;
  for (std::size_t next = 0; next < hidden.rows;) {
    rows.clear();
    for (; next < hidden.rows && rows.size() < kHeadTokens; ++next)
      if (labels[next] != kNoLabel) rows.push_back(next);
    const std::size_t count = rows.size();
    if (count == 0) break;
    if (some.rows() != count) {
      some = Tensor(count, hidden.columns);
      logits = Tensor(count, head.outputs());
    }
    for (std::size_t r = 0; r < count; ++r)
      std::copy_n(hidden.row(rows[r]), hidden.columns, some.view().row(r));
    head.forward(some.view(), logits.view(), compute);
    losses_of(rows, logits.view(), to == nullptr ? nullptr : &to->scale,
              std::span(losses).first(count));
    for (std::size_t r = 0; r < count; ++r) loss.sum += losses[r];
    loss.tokens += count;
    if (to == nullptr) continue;
    if (to->head.rows != 0) add_weight_gradient(some.view(), logits.view(), to->head);
    Tensor back(count, hidden.columns);
    back.fill(0);
    head.add_input_gradient(logits.view(), back.view(), compute);
    for (std::size_t r = 0; r < count; ++r)
      std::copy_n(back.view().row(r), hidden.columns, to->hidden.row(rows[r]));
  }
  return loss;
}

}  // namespace nibble
