// One query: bound by reading the cache, which is read once for all heads that share it.
#include <algorithm>
#include <cmath>

#include "kernels/kernels.h"
#include "nn/attention/attention_parts.h"

namespace nibble {
namespace {

// Positions whose keys stay in the first cache while each head reads them.
constexpr std::size_t kChunk = 128;

}  // namespace

void attend_span(const SpanTask& task, const AttentionShape& shape, const SpanResult& result) {
  const std::size_t d = shape.head_dim, group = shape.heads / shape.kv_heads;
  const std::size_t count = task.end - task.begin;
  const auto part = [&](const KvView& rows, std::size_t first, std::size_t chunk) {
    return rows.rows_at(task.begin + first, chunk).columns_at(task.kv_head * d, d);
  };
  Tensor storage(group, d + count);
  const Matrix query = storage.view().columns_at(0, d);
  const Matrix scores = storage.view().columns_at(d, count);
  for (std::size_t g = 0; g < group; ++g) {
    const float* from = task.input->query.row(0) + (task.kv_head * group + g) * d;
    for (std::size_t c = 0; c < d; ++c) query(g, c) = from[c] * shape.scale;
  }
  for (std::size_t first = 0; first < count; first += kChunk) {
    const KvView keys = part(task.input->keys, first, std::min(kChunk, count - first));
    for (std::size_t g = 0; g < group; ++g) keys.products(query.row(g), scores.row(g) + first);
  }
  for (std::size_t g = 0; g < group; ++g) {
    result.sum[g] = kernels().exp_sum(scores.row(g), count, &result.largest[g]);
    kernels().softmax(scores.row(g), count);
    std::fill_n(result.out.row(g), d, 0.0f);
  }
  for (std::size_t first = 0; first < count; first += kChunk) {
    const KvView values = part(task.input->values, first, std::min(kChunk, count - first));
    for (std::size_t g = 0; g < group; ++g) values.mix(scores.row(g) + first, result.out.row(g));
  }
}

}  // namespace nibble
