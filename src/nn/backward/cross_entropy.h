// The loss of a language model and its gradient, fused with the output head: logits exist for a
// few tokens at a time.
#pragma once

#include <cstdint>
#include <span>

#include "nn/linear.h"

namespace nibble {

inline constexpr std::int32_t kNoLabel = -1;
// Tokens whose logits exist at once: with a vocabulary of 128,000 they take 125 MiB.
inline constexpr std::size_t kHeadTokens = 256;

struct Loss {
  double sum = 0;  // −Σ ln p(label), in nats
  std::size_t tokens = 0;
  double mean() const { return tokens == 0 ? 0 : sum / static_cast<double>(tokens); }
};

// hidden [tokens, width], after the final norm; labels [tokens], kNoLabel where none is learnt:
// such rows cost nothing. The loss alone:
Loss cross_entropy(const Linear& head, ConstMatrix hidden, std::span<const std::int32_t> labels,
                   Compute compute);
// and the gradient of `scale` times its sum: dhidden is written, 0 where there is no label; dhead
// [vocabulary, width] is added to, unless it has no rows.
Loss cross_entropy_gradient(const Linear& head, ConstMatrix hidden,
                            std::span<const std::int32_t> labels, float scale, Matrix dhidden,
                            Matrix dhead, Compute compute);

}  // namespace nibble
