#include "train/qat/grid_layers.h"

namespace nibble {

GridLayers::GridLayers(TrainingModel& model, std::span<ChosenCodes> chosen,
                       const GridTraining& training) {
  gradients_.blocks.resize(model.blocks().size());
  for (ChosenCodes& one : chosen) {
    const PlannedModule& module = *one.module;
    const auto role = static_cast<std::size_t>(module.role);
    std::unique_ptr<Linear>& linear = model.blocks()[module.layer].linears[role];
    layers_.push_back(
        std::make_unique<GridLayer>(*linear, one.codes, module.storable, module.options, training));
    layers_.back()->add_parameters(module.name, parameters_);
    linear = layers_.back()->linear();
    gradients_.blocks[module.layer].layers[role] = layers_.back().get();
  }
  for (const auto& layer : layers_) layer->bind(parameters_);
}

void GridLayers::refresh() {
  for (const auto& layer : layers_) layer->refresh();
}

}  // namespace nibble
