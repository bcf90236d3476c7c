// Causal grouped-query attention over contiguous keys and values.
#pragma once

#include <span>

#include "nibble/tensor.h"

namespace nibble {

struct AttentionShape {
  std::size_t heads = 0;
  std::size_t kv_heads = 0;  // divides heads; query head h reads kv head h · kv_heads / heads
  std::size_t head_dim = 0;
  float scale = 1;
  std::size_t window = 0;  // position i sees j with i − window < j ≤ i; 0: the whole past
};

// One sequence: query and out [length, heads · head_dim]; keys and values
// [past + length, kv_heads · head_dim]. Query row r stands at position past + r.
struct AttentionInput {
  ConstMatrix query, keys, values;
  Matrix out;
};

// Uses all threads over (sequence, head, tile of queries).
void attention(std::span<const AttentionInput> sequences, const AttentionShape& shape);

}  // namespace nibble
