#include "nn/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "nn/attention/attention_parts.h"

namespace nibble {
namespace {

constexpr std::size_t kQueryTile = 64;
// Positions of one task; the same for any number of threads, so that sums do not depend on it.
constexpr std::size_t kSpan = 512;
// Multiplications below which one thread is faster than waking the others.
constexpr std::size_t kSmall = 1 << 16;

void run_all(std::size_t tasks, std::size_t work, const std::function<void(std::size_t)>& run) {
  if (work >= kSmall) return parallel_for(tasks, run);
  for (std::size_t i = 0; i < tasks; ++i) run(i);
}

// out = Σ w·out_i / Σ w with w = sum_i · exp(largest_i − largest): softmax over all spans.
void join(std::size_t spans, std::size_t stride, const float* largest, const float* sums,
          const float* outs, std::size_t d, float* out) {
  float top = -INFINITY;
  for (std::size_t i = 0; i < spans; ++i) top = std::max(top, largest[i * stride]);
  float total = 0;
  std::fill_n(out, d, 0.0f);
  for (std::size_t i = 0; i < spans; ++i) {
    const float weight = sums[i * stride] * std::exp(largest[i * stride] - top);
    kernels().add_scaled(weight, outs + i * stride * d, out, d);
    total += weight;
  }
  for (std::size_t c = 0; c < d; ++c) out[c] /= total;
}

void attend_singles(const std::vector<const AttentionInput*>& singles,
                    const AttentionShape& shape) {
  struct First {
    std::size_t task = 0, spans = 0;
  };
  const std::size_t group = shape.heads / shape.kv_heads, d = shape.head_dim;
  std::vector<SpanTask> tasks;
  std::vector<First> firsts;  // of each (sequence, kv head)
  std::size_t work = 0;
  for (const AttentionInput* input : singles) {
    const Visible seen = visible(input->keys.rows - 1, shape.window);
    work += (seen.end - seen.begin) * shape.heads * d;
    for (std::size_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
      firsts.push_back({tasks.size(), 0});
      for (std::size_t begin = seen.begin; begin < seen.end; begin += kSpan) {
        tasks.push_back({input, kv_head, begin, std::min(begin + kSpan, seen.end)});
        ++firsts.back().spans;
      }
    }
  }
  // [tasks, group] numbers and [tasks · group, d] values.
  std::vector<float> largest(tasks.size() * group), sums(tasks.size() * group);
  Tensor outs(tasks.size() * group, d);
  run_all(tasks.size(), work, [&](std::size_t i) {
    attend_span(tasks[i], shape,
                {&largest[i * group], &sums[i * group], outs.view().rows_at(i * group, group)});
  });
  for (const First& first : firsts) {
    const SpanTask& task = tasks[first.task];
    for (std::size_t g = 0; g < group; ++g) {
      const std::size_t at = first.task * group + g;
      join(first.spans, group, &largest[at], &sums[at], outs.view().row(at), d,
           task.input->out.row(0) + (task.kv_head * group + g) * d);
    }
  }
}

void attend_many(const std::vector<const AttentionInput*>& many, const AttentionShape& shape) {
  struct Tile {
    std::size_t sequence = 0, head = 0, first = 0, count = 0;
  };
  std::vector<DenseKv> dense;
  std::vector<Tile> tiles;
  std::size_t work = 0;
  for (std::size_t s = 0; s < many.size(); ++s) {
    dense.push_back(make_dense(*many[s], shape));
    const std::size_t length = many[s]->query.rows;
    work += length * many[s]->keys.rows * shape.heads * shape.head_dim;
    for (std::size_t head = 0; head < shape.heads; ++head)
      for (std::size_t first = 0; first < length; first += kQueryTile)
        tiles.push_back({s, head, first, std::min(kQueryTile, length - first)});
  }
  run_all(tiles.size(), work, [&](std::size_t i) {
    const Tile& tile = tiles[i];
    attend_tile(*many[tile.sequence], dense[tile.sequence], tile.head, tile.first, tile.count,
                shape);
  });
}

}  // namespace

void attention(std::span<const AttentionInput> sequences, const AttentionShape& shape) {
  std::vector<const AttentionInput*> singles, many;
  for (const AttentionInput& input : sequences)
    (input.query.rows == 1 ? singles : many).push_back(&input);
  if (!singles.empty()) attend_singles(singles, shape);
  if (!many.empty()) attend_many(many, shape);
}

}  // namespace nibble
