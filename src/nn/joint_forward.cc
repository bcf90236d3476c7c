#include "nn/joint_forward.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "nn/panels/row_ranges.h"

namespace nibble {
namespace {

void activate(GatedActivation activation, Matrix gate, ConstMatrix up) {
  for (std::size_t r = 0; r < gate.rows; ++r)
    activation(gate.row(r), up.row(r), gate.row(r), gate.columns);
}

}  // namespace

void forward_together(std::span<const LayerOutput> layers, const LayerInput& x, Compute compute) {
  struct Range {
    const RowRanges* layer;
    std::size_t first;
    Matrix y;
  };
  std::vector<Range> ranges;
  const auto joint = [&](const LayerOutput& one) { return one.layer->ranges(compute) != nullptr; };
  if (!std::all_of(layers.begin(), layers.end(), joint)) {
    for (const LayerOutput& one : layers) one.layer->forward(x, one.y, compute);
    return;
  }
  for (const LayerOutput& one : layers) {
    const RowRanges* layer = one.layer->ranges(compute);
    layer->round(x);
    const std::size_t outputs = layer->outputs(), step = layer->grain(x);
    for (std::size_t first = 0; first < outputs; first += step)
      ranges.push_back({layer, first, one.y.columns_at(first, std::min(step, outputs - first))});
  }
  parallel_for(ranges.size(), [&](std::size_t i) {
    run_range(*ranges[i].layer, x, ranges[i].first, ranges[i].y);
  });
}

void forward_gated(const Linear& gate, const Linear& up, GatedActivation activation,
                   const LayerInput& x, Matrix out, Compute compute) {
  const RowRanges* gates = gate.ranges(compute);
  const RowRanges* ups = up.ranges(compute);
  if (gates == nullptr || ups == nullptr) {
    Tensor values(out.rows, out.columns);
    forward_together(std::vector<LayerOutput>{{&gate, out}, {&up, values.view()}}, x, compute);
    if (out.rows <= 4) return activate(activation, out, values.view());
    parallel_ranges(out.rows, 16, [&](std::size_t begin, std::size_t end) {
      activate(activation, out.rows_at(begin, end - begin),
               values.view().rows_at(begin, end - begin));
    });
    return;
  }
  gates->round(x);
  ups->round(x);
  // Half a strip of each, so that both stay in the cache; a few rows of x pass by both.
  const std::size_t half = gates->grain(x) / (2 * kRangeRows) * kRangeRows;
  parallel_ranges(
      gates->outputs(), std::max(kRangeRows, half), [&](std::size_t begin, std::size_t end) {
        thread_local Strip gate_strip, up_strip;
        thread_local AlignedVector<float> storage;
        const std::size_t count = end - begin;
        gates->make(x, begin, count, gate_strip);
        ups->make(x, begin, count, up_strip);
        storage.resize(std::min(kInputStep, out.rows) * count);
        for (std::size_t row = 0; row < out.rows; row += kInputStep) {
          const Matrix part =
              out.columns_at(begin, count).rows_at(row, std::min(kInputStep, out.rows - row));
          const Matrix values(storage.data(), part.rows, part.columns);
          gates->multiply(x, gate_strip, row, part);
          ups->multiply(x, up_strip, row, values);
          activate(activation, part, values);
        }
      });
}

}  // namespace nibble
