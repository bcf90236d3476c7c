// Calibration texts on the command line and in results.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "nibble/compute.h"
#include "quantize/calibration/calibration.h"

namespace nibble::cli {

// "notes.txt" or "notes.txt:2.5", a file and its weight. Throws kInvalidArgument.
CalibrationFile parse_source(const std::string& text);

// What commands that measure inputs take, as it is typed.
struct CalibrationFlags {
  std::vector<std::string> files;
  std::size_t samples = 128, seq_len = 0;
  std::string compute = "auto";
};
// --calib, --samples, --seq-len and --compute.
void declare(CLI::App& app, CalibrationFlags& flags);
// Both throw kInvalidArgument.
CalibrationOptions options_of(const CalibrationFlags& flags, std::uint64_t seed);
Compute compute_of(const CalibrationFlags& flags);  // not int8, which would round what is measured

// What was read; null where nothing was.
Json calibration_json(const Calibration& calibration);

}  // namespace nibble::cli
