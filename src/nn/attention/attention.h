// Causal grouped-query attention over contiguous keys and values.
#pragma once

#include <span>

#include "nibble/tensor.h"
#include "nn/attention/kv_rows.h"

namespace nibble {

struct AttentionShape {
  std::size_t heads = 0;
  std::size_t kv_heads = 0;  // divides heads; query head h reads kv head h · kv_heads / heads
  std::size_t head_dim = 0;
  float scale = 1;
  std::size_t window = 0;  // position i sees j with i − window < j ≤ i; 0: the whole past
  // Products of many queries round their factors to bfloat16 where the CPU multiplies those.
  bool round_to_bfloat16 = false;
};

// One sequence: query and out [length, heads · head_dim]; keys and values
// [past + length, kv_heads · head_dim]. Query row r stands at position past + r.
struct AttentionInput {
  ConstMatrix query;
  KvView keys, values;
  Matrix out;
};

// Uses all threads. Sequences with one query read their keys and values once for all heads that
// share them, in spans of positions that are joined afterwards (log-sum-exp); with more queries
// the scores are matrix products over tiles of queries.
void attention(std::span<const AttentionInput> sequences, const AttentionShape& shape);

}  // namespace nibble
