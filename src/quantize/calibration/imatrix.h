// How much each input of each layer matters: sums of its squares over a text, in the file that
// llama.cpp calls an imatrix and its quantizer reads.
#pragma once

#include <cstddef>
#include <filesystem>

#include "base/progress.h"
#include "nibble/compute.h"
#include "quantize/calibration/calibration.h"

namespace nibble {

struct ImatrixOptions {
  CalibrationOptions calibration;
  Compute compute = Compute::kFloat32;
  bool replace = false;  // an existing file
};

struct ImatrixResult {
  Calibration calibration;
  std::size_t entries = 0;  // layers with an entry of their own
};

// `model`: a folder or a GGUF file, float or quantized. `output`: NAME.gguf with, for each matrix,
// "blk.0.attn_q.weight.in_sum2" [inputs], Σ x², and "….counts" [1], tokens, both float32. Windows
// are llama-imatrix's chunks. Throws what gather_calibration throws, and kResource.
ImatrixResult write_imatrix(const std::filesystem::path& model, const std::filesystem::path& output,
                            const ImatrixOptions& options, const ProgressSink& progress,
                            const LogSink& log);

}  // namespace nibble
