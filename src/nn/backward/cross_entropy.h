// The loss of a language model on the tokens that follow: −Σ ln p(label), and its gradient.
#pragma once

#include "nn/backward/head_loss.h"

namespace nibble {

// hidden [tokens, width], after the final norm; labels [tokens], kNoLabel where none is learnt.
// `to`: null for the loss alone.
Loss cross_entropy(const Linear& head, ConstMatrix hidden, std::span<const std::int32_t> labels,
                   Compute compute, const HeadGradient* to = nullptr);

}  // namespace nibble
