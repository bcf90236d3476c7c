#include "quantize/calibration/verify_inputs.h"

#include <nlohmann/json.hpp>
#include <string>

#include "checkpoint/foreign.h"
#include "model/source.h"
#include "nibble/error.h"
#include "quantize/calibration/input_importance.h"
#include "quantize/calibration/input_statistics.h"
#include "quantize/calibration/measured_sums.h"
#include "quantize/passport.h"

namespace nibble {
namespace {

bool holds_statistics(const std::filesystem::path& file) {
  if (is_importance_matrix(MappedFile(file).bytes())) return false;
  const Json passport = measured_passport(*open_checkpoint(file));
  return !passport.is_null() && json_string(passport, "schema", "") == kStatisticsSchema;
}

}  // namespace

VerifyResult verify_inputs(const std::filesystem::path& file,
                           const std::optional<std::filesystem::path>& base) {
  VerifyResult result;
  const auto warn = [&](const char* rule, std::string text) {
    result.findings.push_back({false, rule, std::move(text)});
  };
  try {
    const InputImportance inputs(file);
    result.entries_checked = inputs.entries();
    if (inputs.has_sums())
      ++result.files_checked;
    else
      warn("sums.missing",
           "it has no sum, which nibble's own have: its numbers are possible ones, no more");
    if (!inputs.note().empty()) warn("inputs.zeros", inputs.note());
  } catch (const Error& problem) {
    result.findings.push_back({true, "inputs.damaged", problem.what()});
    return result;
  }
  try {
    if (base && holds_statistics(file))
      InputStatistics(file).require_model(hash_files(model_files(ModelSource(*base))));
    else if (base)
      warn("inputs.base", "an imatrix does not name its model: --base was not read");
  } catch (const Error& problem) {
    result.findings.push_back({true, "inputs.base", problem.what()});
  }
  return result;
}

}  // namespace nibble
