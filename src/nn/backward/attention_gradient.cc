#include "nn/backward/attention_gradient.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/attention/attention_parts.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

constexpr std::size_t kQueries = 64;

// Of one query head: shares of the gradients of the keys and values that it reads, [length, d].
struct HeadShares {
  Matrix keys, values;
};

// dU = P ⊙ (dP − Σ_j P·dP) · scale, over dP; P is what softmax gave.
void through_softmax(ConstMatrix shares, float scale, Matrix gradient) {
  for (std::size_t r = 0; r < shares.rows; ++r) {
    const float* share = shares.row(r);
    float* row = gradient.row(r);
    const float mean = kernels().dot(share, row, shares.columns);
    for (std::size_t c = 0; c < shares.columns; ++c) row[c] = share[c] * (row[c] - mean) * scale;
  }
}

void head_gradient(const AttentionGradient& sequence, const AttentionShape& shape, std::size_t head,
                   const HeadShares& out) {
  const std::size_t d = shape.head_dim, length = sequence.query.rows;
  const std::size_t column = head * shape.kv_heads / shape.heads * d;
  const ConstMatrix keys = sequence.keys.columns_at(column, d);
  const ConstMatrix values = sequence.values.columns_at(column, d);
  for (Matrix part : {out.keys, out.values})
    for (std::size_t r = 0; r < length; ++r) std::fill_n(part.row(r), d, 0.0f);
  for (std::size_t first = 0; first < length; first += kQueries) {
    const std::size_t count = std::min(kQueries, length - first);
    const std::size_t begin = visible(first, shape.window).begin;
    const std::size_t seen = visible(first + count - 1, shape.window).end - begin;
    const auto part = [&](auto rows) { return rows.rows_at(first, count).columns_at(head * d, d); };
    Tensor share_storage(count, seen), gradient_storage(count, seen);
    const Matrix shares = share_storage.view(), gradient = gradient_storage.view();
    matmul(part(sequence.query), keys.rows_at(begin, seen), shares);
    for (std::size_t r = 0; r < count; ++r) {
      const Visible range = visible(first + r, shape.window);
      float* row = shares.row(r);
      std::fill(row, row + (range.begin - begin), 0.0f);
      std::fill(row + (range.end - begin), row + seen, 0.0f);
      float* live = row + (range.begin - begin);
      for (std::size_t i = 0; i < range.end - range.begin; ++i) live[i] *= shape.scale;
      kernels().softmax(live, range.end - range.begin);
    }
    add_cross(ConstMatrix(shares), part(sequence.dout), out.values.rows_at(begin, seen));
    matmul(part(sequence.dout), values.rows_at(begin, seen), gradient);
    through_softmax(shares, shape.scale, gradient);
    matmul_plain(ConstMatrix(gradient), keys.rows_at(begin, seen), part(sequence.dquery));
    add_cross(ConstMatrix(gradient), part(sequence.query), out.keys.rows_at(begin, seen));
  }
}

// Heads that share keys and values add up, in their order.
void sum_heads(ConstMatrix of_heads, const AttentionShape& shape, Matrix out) {
  const std::size_t d = shape.head_dim, group = shape.heads / shape.kv_heads;
  parallel_ranges(out.rows, 32, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t kv = 0; kv < shape.kv_heads; ++kv) {
        float* to = out.row(r) + kv * d;
        std::copy_n(of_heads.row(r) + kv * group * d, d, to);
        for (std::size_t i = 1; i < group; ++i)
          kernels().add_scaled(1, of_heads.row(r) + (kv * group + i) * d, to, d);
      }
  });
}

}  // namespace

void attention_gradient(std::span<const AttentionGradient> sequences, const AttentionShape& shape) {
  const std::size_t d = shape.head_dim;
  std::vector<Tensor> keys, values;
  for (const AttentionGradient& sequence : sequences) {
    keys.emplace_back(sequence.query.rows, sequence.query.columns);
    values.emplace_back(sequence.query.rows, sequence.query.columns);
  }
  parallel_for(sequences.size() * shape.heads, [&](std::size_t i) {
    const std::size_t s = i / shape.heads, head = i % shape.heads;
    head_gradient(
        sequences[s], shape, head,
        {keys[s].view().columns_at(head * d, d), values[s].view().columns_at(head * d, d)});
  });
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    sum_heads(keys[s].view(), shape, sequences[s].dkeys);
    sum_heads(values[s].view(), shape, sequences[s].dvalues);
  }
}

}  // namespace nibble
