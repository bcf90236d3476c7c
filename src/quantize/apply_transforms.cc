#include "quantize/apply_transforms.h"

#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "base/progress.h"
#include "base/text.h"
#include "quantize/moments.h"

namespace nibble {
namespace {

using StageMoments = std::array<std::unique_ptr<Moments>, kStages.size()>;

// The block's inputs of each stage, from samples that stay where they are.
StageMoments gather(const Block& block, Compute compute, const Samples& samples) {
  StageMoments moments;
  for (const Stage stage : kStages)
    moments[static_cast<std::size_t>(stage)] =
        std::make_unique<Moments>(block.linear(roles_of(stage).front()).inputs(), compute, false);
  const auto add = [&](Stage stage, const Tensor& input) {
    moments[static_cast<std::size_t>(stage)]->add(input.view());
  };
  const std::size_t windows = chunk_windows(samples.length);
  for (std::size_t first = 0; first < samples.count; first += windows) {
    throw_if_stopped();
    const std::size_t rows = std::min(windows, samples.count - first) * samples.length;
    std::vector<Sequence> sequences;
    for (std::size_t row = 0; row < rows; row += samples.length)
      sequences.push_back({row, samples.length, 0, nullptr});
    Tensor hidden(rows, block.hyper->hidden), input(rows, block.hyper->hidden);
    samples.quantized.hidden->get(first * samples.length, hidden.view());
    block.attention_input(hidden.view(), input.view());
    add(Stage::kAttentionIn, input);
    Tensor mixed(rows, block.linear(Role::kOutput).inputs());
    block.attend(input.view(), sequences, RopeTables(*block.hyper, sequences), mixed.view(),
                 compute);
    add(Stage::kAttentionOut, mixed);
    block.attention_output(mixed.view(), hidden.view(), compute);
    block.mlp_input(hidden.view(), input.view());
    add(Stage::kMlpIn, input);
    Tensor activated(rows, block.linear(Role::kDown).inputs());
    block.mlp_activate(input.view(), activated.view(), compute);
    add(Stage::kMlpOut, activated);
  }
  for (const auto& one : moments) one->finish();
  return moments;
}

}  // namespace

Transformed apply_transforms(const ModelSource& source, Block& block, const Recipe& recipe,
                             Compute compute, const Samples* samples) {
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
    }
    for (const std::string& note :
         planned.transform->apply({floats, hessians, modules, planned.options}))
      result.notes.push_back(cat("layer ", block.layer, ": ", planned.transform->name, ": ", note));
    floats.install(stays_plain);
  }
  result.changes = floats.changes(stays_plain);
  return result;
}

}  // namespace nibble
