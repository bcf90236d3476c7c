// Quantization-aware training: codes are chosen as `quantize` chooses them, then trained through
// the whole model, and written as it writes them.
#pragma once

#include <filesystem>
#include <string>

#include "quantize/quantize.h"
#include "train/loop.h"
#include "train/qat/grid_layer.h"

namespace nibble {

// Its learning_rate is that of scales, as factors of what they were; 0: by the bits of the grids,
// less where less was lost.
struct QatOptions : LoopOptions {
  QuantizeOptions quantize = {};  // where training begins, and how the output is stored
  // Whose predictions are learnt: a folder or file; empty: the model itself, before it is small.
  std::filesystem::path teacher = {};
  bool plain = false;                  // learn the data's own next tokens, of no teacher
  float temperature = 1;               // of both predictions
  bool weights = true, scales = true;  // what is trained
  double weight_rate = 0.01;           // learning rate of weights, in steps of their grids
};

// Told before the first step.
struct QatPlan : LoopPlan {
  std::size_t modules = 0;
  std::size_t trained_values = 0, base_values = 0;
  std::uint64_t memory = 0;  // beyond mapped files
};

struct QatResult : LoopResult {
  QatPlan plan;
  QuantizeResult quantized;  // modules: as they were written
};

using QatPlanSink = std::function<void(const QatPlan&)>;

// With `data` empty the calibration's windows are learnt. Writes what quantize_model writes, with
// `training` in its passport. Goes on from OUT.journal and OUT.training.journal. Throws what
// quantize_model and TrainingLoop throw; kUnsupported for codes that stand for several weights, and
// for columns in another order; kResource where it does not fit.
QatResult qat(const std::filesystem::path& model, const std::filesystem::path& output,
              const QatOptions& options, const QuantizeSinks& sinks, bool dry_run,
              const QatPlanSink& on_plan = {});

}  // namespace nibble
