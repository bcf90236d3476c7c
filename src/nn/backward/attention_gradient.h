// The gradients of causal grouped-query attention over sequences without a past.
#pragma once

#include <span>

#include "nn/attention/attention.h"

namespace nibble {

// One sequence: query and dout [length, heads · head_dim]; keys and values [length, kv_heads ·
// head_dim]; the gradients are written, in the shapes of what they belong to.
struct AttentionGradient {
  ConstMatrix query, keys, values;
  ConstMatrix dout;
  Matrix dquery, dkeys, dvalues;
};

// Scores are computed anew by tiles of queries, so that no matrix of all of them exists (Dao et al.
// 2022, algorithm 4, without its tiles of keys). All threads; any number of them gives the same.
void attention_gradient(std::span<const AttentionGradient> sequences, const AttentionShape& shape);

}  // namespace nibble
