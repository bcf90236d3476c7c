// All layers of a model that are trained on their grids.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "quantize/refinement/refinement.h"
#include "train/loop.h"
#include "train/qat/grid_layer.h"

namespace nibble {

class GridLayers final : public Trainee {
 public:
  // Takes the place of the layers of `model`, which must outlive this, as the codes must: they are
  // where training begins and what it leaves behind.
  GridLayers(TrainingModel& model, std::span<ChosenCodes> chosen, const GridTraining& training);

  std::span<Parameter> parameters() override { return parameters_; }
  const ModelGradients& gradients() const override { return gradients_; }
  void refresh() override;

 private:
  std::vector<std::unique_ptr<GridLayer>> layers_;
  std::vector<Parameter> parameters_;
  ModelGradients gradients_;
};

}  // namespace nibble
