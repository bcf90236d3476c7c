#include "quantize/apply_transforms.h"

#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "base/progress.h"
#include "base/text.h"
#include "quantize/calibration/original_walk.h"
#include "quantize/layer/moments.h"

namespace nibble {
namespace {

// The block's inputs of each stage, from samples that stay where they are.
StageInputs gather(const Block& block, Compute compute, const Samples& samples, Needs needs) {
  std::array<std::unique_ptr<Moments>, kStages.size()> moments;
  std::array<Peaks, kStages.size()> peaks;
  for (const Stage stage : kStages)
    if (needs == Needs::kHessian)
      moments[static_cast<std::size_t>(stage)] =
          std::make_unique<Moments>(block.linear(roles_of(stage).front()).inputs(), compute, false);
  const std::size_t windows = chunk_windows(samples.length);
  for (std::size_t first = 0; first < samples.count; first += windows) {
    throw_if_stopped();
    const std::size_t rows = std::min(windows, samples.count - first) * samples.length;
    Tensor hidden(rows, block.hyper->hidden);
    samples.quantized.hidden->get(first * samples.length, hidden.view());
    for_stage_inputs(block, hidden.view(), samples.length, compute,
                     [&](Stage stage, ConstMatrix input) {
                       const auto index = static_cast<std::size_t>(stage);
                       if (moments[index]) moments[index]->add(input);
                       peaks[index].add(input);
                     });
  }
  StageInputs gathered;
  for (std::size_t i = 0; i < kStages.size(); ++i) {
    gathered.peaks[i] = peaks[i].values();
    if (!moments[i]) continue;
    moments[i]->finish();
    gathered.products[i] = moments[i]->take_hessian();
  }
  return gathered;
}

// What is known of inputs that became smaller by these factors.
void divide(StageInputs& inputs, std::size_t stage, std::span<const float> factors) {
  for (std::size_t c = 0; c < factors.size(); ++c) inputs.peaks[stage][c] /= factors[c];
  const Matrix products = inputs.products[stage].view();
  parallel_ranges(products.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < products.columns; ++c) products(r, c) /= factors[r] * factors[c];
  });
}

}  // namespace

Transformed apply_transforms(const ModelSource& source, Block& block, const Recipe& recipe,
                             Compute compute, const Samples* samples, StageInputs* inputs) {
  Transformed result;
  if (recipe.transforms.empty()) return result;
  std::array<const PlannedModule*, kRoles> modules{};
  std::array<bool, kRoles> stays_plain{};
  for (std::size_t i = 0; i < kRoles; ++i) {
    modules[i] = recipe.find(block.layer, static_cast<Role>(i));
    stays_plain[i] = modules[i] == nullptr;
  }
  FloatBlock floats(source, block);
  for (const PlannedTransform& planned : recipe.transforms) {
    StageInputs gathered;
    const StageInputs* known = inputs;
    if (samples != nullptr && planned.transform->needs != Needs::kNothing) {
      gathered = gather(block, compute, *samples, planned.transform->needs);
      known = &gathered;
    }
    std::array<ConstMatrix, kStages.size()> hessians{};
    std::array<std::span<const float>, kStages.size()> peaks{};
    for (std::size_t i = 0; known != nullptr && i < kStages.size(); ++i) {
      hessians[i] = known->products[i].view();
      peaks[i] = known->peaks[i];
    }
    for (const std::string& note :
         planned.transform->apply({floats, hessians, peaks, modules, planned.options}))
      result.notes.push_back(cat("layer ", block.layer, ": ", planned.transform->name, ": ", note));
    for (const Stage stage : kStages) {
      const auto factors = floats.take_factors(stage);
      if (inputs != nullptr && !factors.empty())
        divide(*inputs, static_cast<std::size_t>(stage), factors);
    }
    floats.install(stays_plain);
  }
  result.changes = floats.changes(stays_plain);
  return result;
}

}  // namespace nibble
