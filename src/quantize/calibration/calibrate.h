// Measures the inputs of a model's layers once, for any number of quantization jobs.
#pragma once

#include <filesystem>

#include "base/progress.h"
#include "nibble/compute.h"
#include "nibble/resume.h"
#include "quantize/calibration/calibration.h"

namespace nibble {

struct CalibrateOptions {
  CalibrationOptions calibration;
  Compute compute = Compute::kFloat32;
  bool replace = false;  // an existing file
  Resume resume = Resume::kAuto;
};

struct CalibrateResult {
  Calibration calibration;
  std::size_t entries = 0;         // matrices whose inputs were measured
  std::size_t resumed_layers = 0;  // taken from an earlier run
  std::uint64_t bytes = 0;         // of the file
};

// `model`: a float model. `output`: NAME.gguf (input_statistics.h). The inputs are those of the
// original model: errors of layers quantized before are not seen. Goes on from OUT.journal as
// quantize does. Throws what gather_calibration and Journal throw.
CalibrateResult calibrate_model(const std::filesystem::path& model,
                                const std::filesystem::path& output,
                                const CalibrateOptions& options, const ProgressSink& progress,
                                const LogSink& log);

}  // namespace nibble
