// The two ways of attention; attention.cc shares the work out.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/attention/attention.h"

namespace nibble {

// Positions that a query at `position` sees: [begin, end).
struct Visible {
  std::size_t begin = 0, end = 0;
};
inline Visible visible(std::size_t position, std::size_t window) {
  const std::size_t end = position + 1;
  return {window != 0 && end > window ? end - window : 0, end};
}

// One query against a span of positions, for the heads that share a kv head.
struct SpanTask {
  const AttentionInput* input = nullptr;
  std::size_t kv_head = 0, begin = 0, end = 0;
};
// Of each of those heads: the largest score, Σ exp(score − largest), and the mixed values of this
// span alone, out [heads, head_dim].
struct SpanResult {
  float* largest = nullptr;
  float* sum = nullptr;
  Matrix out;
};
void attend_span(const SpanTask& task, const AttentionShape& shape, const SpanResult& result);

// Keys and values of a sequence as the products of many queries want them: of positions from
// `first` on, [positions, kv_heads · head_dim].
struct DenseKv {
  std::size_t first = 0;
  ConstMatrix keys, values;
  MatrixView<const std::uint16_t> rounded_keys, rounded_values;  // bfloat16, or no rows
  Tensor key_storage, value_storage;
  std::vector<std::uint16_t> rounded_key_storage, rounded_value_storage;
};
// Uses all threads.
DenseKv make_dense(const AttentionInput& input, const AttentionShape& shape);

// `count` queries from `first` on, of one head.
void attend_tile(const AttentionInput& input, const DenseKv& kv, std::size_t head,
                 std::size_t first, std::size_t count, const AttentionShape& shape);

}  // namespace nibble
