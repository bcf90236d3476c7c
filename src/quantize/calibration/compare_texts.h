// Which text stands best for a user's own: what the layers of a model lose on the own text when
// their codes were chosen under another text's inputs.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "nibble/compute.h"
#include "quantize/calibration/calibration.h"
#include "quantize/method.h"

namespace nibble {

struct CompareTextsOptions {
  std::vector<CalibrationFile> texts;  // each by itself; none: what the model writes
  CalibrationFile own;
  std::string method = "gptq";  // its usual options, without drift correction
  std::string grid = "int4";    // groups of 128, 64 or 32 inputs, the largest that divides the rows
  std::size_t samples = 128;    // windows of each; of the own text twice as many
  std::size_t length = 0;       // as CalibrationOptions
  std::uint64_t seed = 0;
  Compute compute = Compute::kFloat32;
};

struct ComparedText {
  Calibration windows;
  // ‖X·(W − Ŵ)ᵀ‖² / ‖X·Wᵀ‖² with the own text's inputs X, mean of all matrices.
  double output_error = 0;
  // How much that is above the error of codes fitted to the own text: 0.03 is 3 % more.
  double excess = 0;
};

struct TextComparison {
  std::vector<ComparedText> texts;  // in the order they were asked for
  ComparedText own;                 // fitted to every other window, measured on those between
  std::size_t matrices = 0;
};

// What a method of products (gptq) needs of a layer, inputs² floats, is there for each text at
// once; rtn needs their diagonal, and tells little. `model`: a folder or a GGUF file. Codes are
// fitted to each text's inputs in the original model, nothing is written. Same result for any
// number of threads. Throws what gather_calibration throws, and kInvalidArgument for a method that
// looks at no text.
TextComparison compare_texts(const std::filesystem::path& model, const CompareTextsOptions& options,
                             const ProgressSink& progress, const LogSink& log);

}  // namespace nibble
