// Losses of a language model are fused with its output head: logits exist for a few tokens at a
// time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "nn/linear.h"

namespace nibble {

inline constexpr std::int32_t kNoLabel = -1;
// Tokens whose logits exist at once: with a vocabulary of 128,000 they take 125 MiB.
inline constexpr std::size_t kHeadTokens = 256;

struct Loss {
  double sum = 0;  // over the tokens, in nats
  std::size_t tokens = 0;
  double mean() const { return tokens == 0 ? 0 : sum / static_cast<double>(tokens); }
};

// Where the gradient of `scale` times a loss's sum goes.
struct HeadGradient {
  float scale = 1;
  Matrix hidden;  // [tokens, width], written: 0 where there is no label
  Matrix head;    // [vocabulary, width], added to; without rows: frozen
};

// The losses of rows of hidden states, whose logits are given. With `scale` the logits become the
// gradient of scale times their sum.
using RowLosses = std::function<void(std::span<const std::size_t> rows, Matrix logits,
                                     const float* scale, std::span<double> losses)>;

// hidden [tokens, width], after the final norm; rows without a label (kNoLabel) cost nothing. `to`:
// null for the loss alone.
Loss head_loss(const Linear& head, ConstMatrix hidden, std::span<const std::int32_t> labels,
               const HeadGradient* to, Compute compute, const RowLosses& losses_of);

}  // namespace nibble
