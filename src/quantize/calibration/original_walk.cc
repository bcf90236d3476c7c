#include "quantize/calibration/original_walk.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "model/transformer.h"

namespace nibble {

OriginalWalk::OriginalWalk(const ModelSource& source, const Calibration& calibration,
                           Compute compute)
    : compute_(compute) {
  const HyperParams& hyper = source.hyper();
  samples_.count = calibration.samples;
  samples_.length = calibration.length;
  samples_.quantized.hidden = std::make_unique<ActivationStore>(
      samples_.tokens(), hyper.hidden, Compute::kFloat32, std::filesystem::path());
  const auto embedding = source.embedding();
  for (std::size_t window = 0; window < samples_.count; ++window) {
    Tensor rows(samples_.length, hyper.hidden);
    embed(*embedding, hyper.embedding_scale,
          {calibration.ids.data() + window * samples_.length, samples_.length}, rows.view());
    samples_.quantized.hidden->put(window * samples_.length, rows.view());
  }
}

void OriginalWalk::pass(const Block& block, const UseInput& use) {
  ActivationStore& store = *samples_.quantized.hidden;
  const std::size_t windows = chunk_windows(samples_.length);
  for (std::size_t first = 0; first < samples_.count; first += windows) {
    throw_if_stopped();
    const std::size_t rows = std::min(windows, samples_.count - first) * samples_.length;
    Tensor hidden(rows, block.hyper->hidden);
    store.get(first * samples_.length, hidden.view());
    for_stage_inputs(block, hidden.view(), samples_.length, compute_,
                     [&](Stage stage, ConstMatrix input) {
                       use(stage, input);
                       if (stage == Stage::kMlpOut)
                         block.mlp_output(input, hidden.view(), compute_);
                     });
    store.put(first * samples_.length, hidden.view());
  }
}

void Peaks::add(ConstMatrix inputs) {
  values_.resize(inputs.columns);
  parallel_ranges(inputs.columns, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = 0; r < inputs.rows; ++r)
      for (std::size_t c = begin; c < end; ++c)
        values_[c] = std::max(values_[c], std::fabs(inputs(r, c)));
  });
}

void Squares::add(ConstMatrix inputs) {
  sums_.resize(inputs.columns);
  parallel_ranges(inputs.columns, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = 0; r < inputs.rows; ++r)
      for (std::size_t c = begin; c < end; ++c)
        sums_[c] += static_cast<double>(inputs(r, c)) * static_cast<double>(inputs(r, c));
  });
}

}  // namespace nibble
