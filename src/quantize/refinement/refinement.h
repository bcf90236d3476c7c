// Between their choice and the disk all codes of a model may be changed: by training.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.h"
#include "quantize/recipe.h"

namespace nibble {

struct ChosenCodes {
  const PlannedModule* module = nullptr;
  Codes codes;
};

struct ChosenModel {
  const ModelSource& source;
  const Calibration& calibration;  // samples 0: nothing was read
  const Json& identity;            // of the whole job, the refinement's included
  std::vector<ChosenCodes> modules;
};

struct Refinement {
  Json identity;  // all that its result depends on besides the job's options
  // Before any work, with the recipe that was made. Throws where it cannot be done.
  std::function<void(const ModelSource& source, const Recipe& recipe)> check;
  // Answers what the passport shall tell of it. Shapes, grids and zeros stay.
  std::function<Json(ChosenModel& model)> refine;
};

}  // namespace nibble
