// Many queries: scores and mixed values are matrix products over tiles of queries.
#include <algorithm>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/attention/attention_parts.h"
#include "nn/inputs/bfloat16_rows.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

using Rounded = MatrixView<const std::uint16_t>;

ConstMatrix as_floats(const KvView& rows, Tensor& storage) {
  if (rows.type == KvType::kFloat32)
    return {static_cast<const float*>(rows.values), rows.rows, rows.columns, rows.stride};
  storage = Tensor(rows.rows, rows.columns);
  parallel_ranges(rows.rows, 64, [&](std::size_t begin, std::size_t end) {
    rows.rows_at(begin, end - begin).to_float(storage.view().rows_at(begin, end - begin));
  });
  return storage.view();
}

Rounded as_bfloat16(const KvView& rows, std::vector<std::uint16_t>& storage) {
  if (rows.type == KvType::kBfloat16)
    return {static_cast<const std::uint16_t*>(rows.values), rows.rows, rows.columns, rows.stride};
  storage.resize(rows.rows * rows.columns);
  parallel_ranges(rows.rows, 64, [&](std::size_t begin, std::size_t end) {
    Tensor row(1, rows.columns);
    for (std::size_t r = begin; r < end; ++r) {
      rows.rows_at(r, 1).to_float(row.view());
      kernels().float_to_bfloat16(row.data(), storage.data() + r * rows.columns, rows.columns);
    }
  });
  return {storage.data(), rows.rows, rows.columns};
}

}  // namespace

DenseKv make_dense(const AttentionInput& input, const AttentionShape& shape) {
  DenseKv kv;
  kv.first = visible(input.keys.rows - input.query.rows, shape.window).begin;
  const KvView keys = input.keys.rows_at(kv.first, input.keys.rows - kv.first);
  const KvView values = input.values.rows_at(kv.first, keys.rows);
  if (shape.round_to_bfloat16 && cpu_has_bfloat16()) {
    kv.rounded_keys = as_bfloat16(keys, kv.rounded_key_storage);
    kv.rounded_values = as_bfloat16(values, kv.rounded_value_storage);
  } else {
    kv.keys = as_floats(keys, kv.key_storage);
    kv.values = as_floats(values, kv.value_storage);
  }
  return kv;
}

void attend_tile(const AttentionInput& input, const DenseKv& kv, std::size_t head,
                 std::size_t first, std::size_t count, const AttentionShape& shape) {
  const std::size_t d = shape.head_dim, column = head * shape.kv_heads / shape.heads * d;
  const std::size_t past = input.keys.rows - input.query.rows;
  const std::size_t begin = visible(past + first, shape.window).begin;
  const std::size_t end = visible(past + first + count - 1, shape.window).end;
  const Matrix out = input.out.rows_at(first, count).columns_at(head * d, d);
  const ConstMatrix query = input.query.rows_at(first, count).columns_at(head * d, d);
  const auto part = [&](auto rows) {
    return rows.rows_at(begin - kv.first, end - begin).columns_at(column, d);
  };
  const bool round = kv.rounded_keys.rows > 0;
  Tensor storage(count, end - begin);
  const Matrix scores = storage.view();
  if (round)
    matmul(Rounded(to_bfloat16(query).data(), count, d), part(kv.rounded_keys), scores);
  else
    matmul(query, part(kv.keys), scores);
  for (std::size_t r = 0; r < count; ++r) {
    const Visible seen = visible(past + first + r, shape.window);
    float* row = scores.row(r);
    std::fill(row, row + (seen.begin - begin), 0.0f);
    std::fill(row + (seen.end - begin), row + scores.columns, 0.0f);
    float* live = row + (seen.begin - begin);
    for (std::size_t i = 0; i < seen.end - seen.begin; ++i) live[i] *= shape.scale;
    kernels().softmax(live, seen.end - seen.begin);
  }
  if (round)
    matmul_plain(Rounded(to_bfloat16(scores).data(), count, end - begin), part(kv.rounded_values),
                 out);
  else
    matmul_plain(scores, part(kv.values), out);
}

}  // namespace nibble
