// config.json brought into agreement with the tensors beside it. Where the two disagree the tensors
// count, since they are what was trained; a note tells what was decided. What cannot be decided so
// is left for the check of every tensor's shape.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "model/spec.h"
#include "model/tensor_names.h"

namespace nibble {

// What there is to compare with: tensors, their names, and quantized modules (may be null).
struct StoredModel {
  const CheckpointReader& checkpoint;
  const TensorNames& names;
  const StoredModules* modules = nullptr;
};

struct Settled {
  HyperParams hyper;
  std::vector<std::string> notes;
};

// Gives `config` the numbers and flags that the tensors have.
Settled settle_config(Json& config, const ModelSpec& spec, const StoredModel& stored);

}  // namespace nibble
