#include "cli/calibration_options.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/number.h"
#include "base/text.h"
#include "cli/compute_options.h"
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

void declare(CLI::App& app, CalibrationFlags& flags) {
  app.add_option("--calib", flags.files,
                 "text, JSON lines or token windows; FILE:WEIGHT mixes several; default: the model "
                 "writes its own");
  app.add_option("--samples", flags.samples, "windows")->capture_default_str();
  app.add_option("--seq-len", flags.seq_len,
                 "tokens in a window; default: 512, or the model's context");
  app.add_option("--compute", flags.compute, "arithmetic: auto, f32 or bf16")
      ->capture_default_str();
}

CalibrationOptions options_of(const CalibrationFlags& flags, std::uint64_t seed) {
  CalibrationOptions options;
  for (const std::string& text : flags.files) options.sources.push_back(parse_source(text));
  options.samples = flags.samples;
  options.length = flags.seq_len;
  options.seed = seed;
  return options;
}

Compute compute_of(const CalibrationFlags& flags) {
  const Compute compute = parse_compute(flags.compute);
  if (compute != Compute::kFloat32 && compute != Compute::kBfloat16)
    throw Error(ErrorKind::kInvalidArgument,
                cat("--compute ", flags.compute, " would measure rounded inputs"),
                "use auto, f32 or bf16");
  return compute;
}

Json calibration_json(const Calibration& calibration) {
  if (calibration.samples == 0) return nullptr;
  return {{"source", calibration.description},
          {"samples", calibration.samples},
          {"seq_len", calibration.length},
          {"tokens_sha256", calibration.hash}};
}

}  // namespace nibble::cli
