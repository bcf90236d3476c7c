#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/matmul.h"

namespace nibble {
namespace {

constexpr std::size_t kQueryTile = 64;

struct Tile {
  std::size_t sequence = 0, head = 0, first = 0, count = 0;
};

// Positions that query row `row` sees: [begin, end).
struct Range {
  std::size_t begin = 0, end = 0;
};
Range visible(std::size_t row, std::size_t past, std::size_t window) {
  const std::size_t end = past + row + 1;
  return {window != 0 && end > window ? end - window : 0, end};
}

void run_tile(const AttentionInput& input, const Tile& tile, const AttentionShape& shape) {
  const std::size_t d = shape.head_dim;
  const std::size_t kv = tile.head * shape.kv_heads / shape.heads * d;
  const std::size_t past = input.keys.rows - input.query.rows;
  const std::size_t begin = visible(tile.first, past, shape.window).begin;
  const std::size_t end = visible(tile.first + tile.count - 1, past, shape.window).end;
  const ConstMatrix query =
      input.query.rows_at(tile.first, tile.count).columns_at(tile.head * d, d);
  const ConstMatrix keys = input.keys.rows_at(begin, end - begin).columns_at(kv, d);
  const ConstMatrix values = input.values.rows_at(begin, end - begin).columns_at(kv, d);
  const Matrix out = input.out.rows_at(tile.first, tile.count).columns_at(tile.head * d, d);

  Tensor storage(tile.count, end - begin);
  const Matrix scores = storage.view();
  const bool few = tile.count <= 2;
  if (few)
    for (std::size_t r = 0; r < tile.count; ++r)
      kernels().gemv_float(keys.values, keys.stride, query.row(r), keys.rows, d, scores.row(r));
  else
    matmul(query, keys, scores);
  for (std::size_t r = 0; r < tile.count; ++r) {
    const Range seen = visible(tile.first + r, past, shape.window);
    float* row = scores.row(r);
    std::fill(row, row + (seen.begin - begin), 0.0f);
    std::fill(row + (seen.end - begin), row + scores.columns, 0.0f);
    float* live = row + (seen.begin - begin);
    for (std::size_t i = 0; i < seen.end - seen.begin; ++i) live[i] *= shape.scale;
    kernels().softmax(live, seen.end - seen.begin);
  }
  if (!few) return matmul_plain(scores, values, out);
  for (std::size_t r = 0; r < tile.count; ++r) {
    std::fill(out.row(r), out.row(r) + d, 0.0f);
    for (std::size_t j = 0; j < values.rows; ++j)
      kernels().add_scaled(scores(r, j), values.row(j), out.row(r), d);
  }
}

}  // namespace

void attention(std::span<const AttentionInput> sequences, const AttentionShape& shape) {
  std::vector<Tile> tiles;
  std::size_t work = 0;
  for (std::size_t s = 0; s < sequences.size(); ++s)
    for (std::size_t head = 0; head < shape.heads; ++head)
      for (std::size_t first = 0; first < sequences[s].query.rows; first += kQueryTile) {
        const std::size_t count = std::min(kQueryTile, sequences[s].query.rows - first);
        tiles.push_back({s, head, first, count});
        work += count * sequences[s].keys.rows * shape.head_dim;
      }
  const auto run = [&](std::size_t i) { run_tile(sequences[tiles[i].sequence], tiles[i], shape); };
  // The products pick their arithmetic by shape, not by threads, so both ways give the same bits.
  constexpr std::size_t kSmall = 1 << 16;
  if (work < kSmall && tiles.size() <= 2 * shape.heads)
    for (std::size_t i = 0; i < tiles.size(); ++i) run(i);
  else
    parallel_for(tiles.size(), run);
}

}  // namespace nibble
