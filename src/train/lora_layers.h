// The layers of a model that get a low-rank addition to be trained, and its parameters.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/adapter/adapter.h"
#include "train/loop.h"
#include "train/lora_gradient.h"
#include "train/training_model.h"

namespace nibble {

struct LoraOptions {
  std::size_t rank = 16;
  double alpha = 32;
  bool rank_stabilized = false;           // scale α / √r instead of α / r
  bool magnitude = false;                 // DoRA
  std::vector<std::string> targets = {};  // "q_proj"; empty: every linear layer of the blocks
  std::uint64_t seed = 0;
};

// Does this layer of a block get an addition?
bool is_target(const LoraOptions& options, Role role);

// All of PEFT's names for the layers of a block, in order.
std::vector<std::string> lora_targets();
// Throws kInvalidArgument for targets that no layer has.
void check_targets(const LoraOptions& options);

class LoraLayers final : public Trainee {
 public:
  // Wraps the layers of `model`, which must outlive this: A uniform in ±1/√inputs, B zero (as PEFT
  // has it: Kaiming's with a = √5), a magnitude the length of the layer's rows. Targets are
  // checked.
  LoraLayers(const ModelSource& source, TrainingModel& model, const LoraOptions& options);

  // A, B and magnitude of each layer, in the order of the layers; A and B under PEFT's names. None
  // of them decays but by AdamWOptions.
  std::span<Parameter> parameters() override { return parameters_; }
  const ModelGradients& gradients() const override { return gradients_; }
  void refresh() override;
  std::size_t trained_values() const;
  const Adapter& adapter() const { return adapter_; }

 private:
  void wrap(const std::string& module, Block& block, std::size_t role, const LoraOptions& options);

  Adapter adapter_;  // by module as the checkpoint names it
  std::vector<LoraLinear*> layers_;
  std::vector<Parameter> parameters_;
  std::vector<std::unique_ptr<LoraGradient>> layer_gradients_;
  ModelGradients gradients_;
};

}  // namespace nibble
