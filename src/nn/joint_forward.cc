#include "nn/joint_forward.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "nn/panels/panel_product.h"
#include "nn/panels/panel_ranges.h"
#include "nn/tiled_product.h"

namespace nibble {
namespace {

// The layer's panels if ranges of them can be multiplied straight into y.
const Panels* whole_panels(const Linear& layer, Compute compute) {
  const Panels* panels = compute == Compute::kInt8 ? layer.panels() : nullptr;
  return panels != nullptr && layer.outputs() % kPanelRows == 0 ? panels : nullptr;
}

void activate(GatedActivation activation, Matrix gate, ConstMatrix up) {
  for (std::size_t r = 0; r < gate.rows; ++r)
    activation(gate.row(r), up.row(r), gate.row(r), gate.columns);
}

}  // namespace

void forward_together(std::span<const LayerOutput> layers, const LayerInput& x, Compute compute) {
  const bool joint = std::all_of(layers.begin(), layers.end(), [&](const LayerOutput& one) {
    return whole_panels(*one.layer, compute) != nullptr;
  });
  if (!joint) {
    for (const LayerOutput& one : layers) one.layer->forward(x, one.y, compute);
    return;
  }
  struct Range {
    const PanelProduct* product;
    std::size_t begin, end;
    Matrix y;
  };
  std::vector<std::unique_ptr<PanelProduct>> products;
  std::vector<Range> ranges;
  for (const LayerOutput& one : layers) {
    products.push_back(std::make_unique<PanelProduct>(*one.layer->panels(), x));
    const std::size_t panels = one.layer->outputs() / kPanelRows, step = products.back()->grain();
    for (std::size_t begin = 0; begin < panels; begin += step) {
      const std::size_t end = std::min(begin + step, panels);
      ranges.push_back({products.back().get(), begin, end, panel_columns(one.y, begin, end)});
    }
  }
  parallel_for(ranges.size(), [&](std::size_t i) {
    ranges[i].product->run(ranges[i].begin, ranges[i].end - ranges[i].begin, ranges[i].y);
  });
  for (const LayerOutput& one : layers) add_bias(one.layer->bias(), one.y);
}

void forward_gated(const Linear& gate, const Linear& up, GatedActivation activation,
                   const LayerInput& x, Matrix out, Compute compute) {
  const Panels* gates = whole_panels(gate, compute);
  const Panels* ups = whole_panels(up, compute);
  if (gates == nullptr || ups == nullptr || gate.bias() != nullptr || up.bias() != nullptr) {
    Tensor values(out.rows, out.columns);
    forward_together(std::vector<LayerOutput>{{&gate, out}, {&up, values.view()}}, x, compute);
    if (out.rows <= 4) return activate(activation, out, values.view());
    parallel_ranges(out.rows, 16, [&](std::size_t begin, std::size_t end) {
      activate(activation, out.rows_at(begin, end - begin),
               values.view().rows_at(begin, end - begin));
    });
    return;
  }
  const PanelProduct gate_product(*gates, x), up_product(*ups, x);
  // Half a strip of each, so that both stay in the cache; a few rows of x pass by both.
  const std::size_t panels = std::max<std::size_t>(1, gate_product.grain() / 2);
  parallel_ranges(gates->panels(), panels, [&](std::size_t begin, std::size_t end) {
    thread_local DenseStrip gate_strip, up_strip;
    thread_local AlignedVector<float> storage;
    const std::size_t count = end - begin, step = gate_product.row_step();
    gate_product.make(begin, count, gate_strip);
    up_product.make(begin, count, up_strip);
    storage.resize(std::min(step, out.rows) * count * kPanelRows);
    for (std::size_t row = 0; row < out.rows; row += step) {
      const Matrix part =
          panel_columns(out, begin, end).rows_at(row, std::min(step, out.rows - row));
      const Matrix values(storage.data(), part.rows, part.columns);
      gate_product.multiply(gate_strip, row, part);
      up_product.multiply(up_strip, row, values);
      activate(activation, part, values);
    }
  });
}

}  // namespace nibble
