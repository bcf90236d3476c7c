#include "train/lora_layers.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/random.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "nibble/error.h"

namespace nibble {
namespace {

std::string short_name(Role role) {
  const std::string_view name = module_name(role);
  return std::string(name.substr(name.rfind('.') + 1));
}

// A seed of its own for each module, whatever others are trained.
std::uint64_t seed_of(const std::string& module, std::uint64_t seed) {
  std::uint64_t mixed = Random(seed).bits();
  for (const char c : module) mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return mixed;
}

std::vector<float> row_lengths(const Linear& layer) {
  std::vector<float> lengths(layer.outputs());
  parallel_ranges(layer.outputs(), 64, [&](std::size_t begin, std::size_t end) {
    Tensor rows(end - begin, layer.inputs());
    layer.decode(begin, rows.view());
    for (std::size_t r = 0; r < rows.rows(); ++r)
      lengths[begin + r] = std::sqrt(kernels().square_sum(rows.view().row(r), rows.columns()));
  });
  return lengths;
}

}  // namespace

bool is_target(const LoraOptions& options, Role role) {
  return options.targets.empty() || std::find(options.targets.begin(), options.targets.end(),
                                              short_name(role)) != options.targets.end();
}

std::vector<std::string> lora_targets() {
  std::vector<std::string> names;
  for (std::size_t role = 0; role < kRoles; ++role)
    names.push_back(short_name(static_cast<Role>(role)));
  return names;
}

void check_targets(const LoraOptions& options) {
  const auto known = lora_targets();
  for (const std::string& target : options.targets)
    if (std::find(known.begin(), known.end(), target) == known.end())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--target-modules: no layer of the model is called \"", target, "\""),
                  cat("choose from ", join(known, ", ")));
}

LoraLayers::LoraLayers(const ModelSource& source, TrainingModel& model,
                       const LoraOptions& options) {
  gradients_.blocks.resize(model.blocks().size());
  for (Block& block : model.blocks())
    for (std::size_t role = 0; role < kRoles; ++role)
      if (is_target(options, static_cast<Role>(role)))
        wrap(source.module_path(block.layer, static_cast<Role>(role)), block, role, options);
}

void LoraLayers::wrap(const std::string& module, Block& block, std::size_t role,
                      const LoraOptions& options) {
  std::unique_ptr<Linear>& layer = block.linears[role];
  const auto added = std::make_shared<LowRank>();
  added->a = Tensor(options.rank, layer->inputs());
  added->b = Tensor(layer->outputs(), options.rank);
  added->b.fill(0);
  added->scale = adapter_scale(options.alpha, options.rank, options.rank_stabilized);
  Random random(seed_of(module, options.seed));
  const double bound = 1 / std::sqrt(static_cast<double>(layer->inputs()));
  for (std::size_t i = 0; i < added->a.size(); ++i)
    added->a.data()[i] = static_cast<float>(bound * (2 * random.uniform() - 1));
  if (options.magnitude) added->magnitude = row_lengths(*layer);
  adapter_.layers[module] = added;

  auto wrapped = std::make_unique<LoraLinear>(std::move(layer), added);
  layers_.push_back(wrapped.get());
  const std::string name = "base_model.model." + module;
  const auto parameter = [&](const char* suffix, std::span<float> values) {
    parameters_.emplace_back(name + suffix, values, true);
    return parameters_.back().gradient.data();  // stays where it is when parameters_ grows
  };
  float* da = parameter(".lora_A.weight", {added->a.data(), added->a.size()});
  float* db = parameter(".lora_B.weight", {added->b.data(), added->b.size()});
  std::span<float> dm;
  if (options.magnitude)
    dm = {parameter(".lora_magnitude_vector", added->magnitude), added->magnitude.size()};
  layer_gradients_.push_back(
      std::make_unique<LoraGradient>(*wrapped, Matrix(da, added->a.rows(), added->a.columns()),
                                     Matrix(db, added->b.rows(), added->b.columns()), dm));
  gradients_.blocks[block.layer].layers[role] = layer_gradients_.back().get();
  layer = std::move(wrapped);
}

void LoraLayers::refresh() {
  for (LoraLinear* layer : layers_) layer->refresh();
}

std::size_t LoraLayers::trained_values() const {
  std::size_t total = 0;
  for (const Parameter& parameter : parameters_) total += parameter.values.size();
  return total;
}

}  // namespace nibble
