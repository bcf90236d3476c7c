#include "quantize/apply_transforms.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/parallel.h"
#include "base/progress.h"
#include "base/text.h"
#include "quantize/layer/moments.h"

namespace nibble {
namespace {

using StageMoments = std::array<std::unique_ptr<Moments>, kStages.size()>;

// The block's inputs of each stage, from samples that stay where they are.
StageMoments gather(const Block& block, Compute compute, const Samples& samples) {
  StageMoments moments;
  for (const Stage stage : kStages)
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
                       moments[static_cast<std::size_t>(stage)]->add(input);
                     });
  }
  for (const auto& one : moments) one->finish();
  return moments;
}

// The products of inputs that became smaller by these factors.
void divide_products(Matrix products, std::span<const float> factors) {
  parallel_ranges(products.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < products.columns; ++c) products(r, c) /= factors[r] * factors[c];
  });
}

}  // namespace

Transformed apply_transforms(const ModelSource& source, Block& block, const Recipe& recipe,
                             Compute compute, const Samples* samples, StageProducts* products) {
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
    StageMoments moments;
    std::array<ConstMatrix, kStages.size()> hessians{};
    if (samples != nullptr && planned.transform->needs == Needs::kHessian) {
      moments = gather(block, compute, *samples);
      for (std::size_t i = 0; i < hessians.size(); ++i) hessians[i] = moments[i]->hessian();
    } else if (products != nullptr) {
      for (std::size_t i = 0; i < hessians.size(); ++i)
        hessians[i] = std::as_const((*products)[i]).view();
    }
    for (const std::string& note :
         planned.transform->apply({floats, hessians, modules, planned.options}))
      result.notes.push_back(cat("layer ", block.layer, ": ", planned.transform->name, ": ", note));
    for (const Stage stage : kStages) {
      const auto factors = floats.take_factors(stage);
      if (products != nullptr && !factors.empty())
        divide_products((*products)[static_cast<std::size_t>(stage)].view(), factors);
    }
    floats.install(stays_plain);
  }
  result.changes = floats.changes(stays_plain);
  return result;
}

}  // namespace nibble
