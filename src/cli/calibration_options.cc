#include "cli/calibration_options.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/number.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble::cli {

// A trailing ":2.5" is a weight unless the whole text is the name of a file.
CalibrationFile parse_source(const std::string& text) {
  const auto colon = text.rfind(':');
  if (std::filesystem::exists(text) || colon == text.npos) return {text, 1};
  const auto weight = parse_number(text.substr(colon + 1));
  if (!weight) return {text, 1};
  if (*weight <= 0)
    throw Error(ErrorKind::kInvalidArgument,
                cat("--calib \"", text, "\": the weight must be positive"));
  return {text.substr(0, colon), *weight};
}

Json calibration_json(const Calibration& calibration) {
  if (calibration.samples == 0) return nullptr;
  return {{"source", calibration.description},
          {"samples", calibration.samples},
          {"seq_len", calibration.length},
          {"tokens_sha256", calibration.hash}};
}

}  // namespace nibble::cli
