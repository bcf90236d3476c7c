// What quantization lost, in a few lines: the output errors of the modules, as the passport has
// them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace nibble::cli {

struct ModuleLoss {
  std::string name;
  std::optional<double> output_error;  // none: not measured, there was no calibration
  bool fallback = false;
};

// modules, fallbacks, mean_output_error (null: not measured) and worst: at most five modules of
// name and output_error, the worst first. Then what these leave out, from `tensors` with the
// passport's keys: layers whose codes no method chose, without_method, and the mean of what they
// lost, mean_weight_error (null: there are none, or nobody knows).
Json losses_json(std::vector<ModuleLoss> modules, const Json& tensors);

// The same for people: "mean 0.201 %, 0 fallbacks in 210 modules", then a line for each of the
// worst. Three digits.
std::vector<std::string> loss_lines(const Json& losses);

}  // namespace nibble::cli
