// Calibration texts on the command line and in results.
#pragma once

#include <string>

#include "base/json.h"
#include "quantize/calibration/calibration.h"

namespace nibble::cli {

// "notes.txt" or "notes.txt:2.5", a file and its weight. Throws kInvalidArgument.
CalibrationFile parse_source(const std::string& text);

// What was read; null where nothing was.
Json calibration_json(const Calibration& calibration);

}  // namespace nibble::cli
