// Training of all parameters of a model: of a new one from a text, of a smaller or pruned one from
// a teacher's predictions.
#pragma once

#include <filesystem>
#include <functional>

#include "base/progress.h"
#include "nibble/dtype.h"
#include "train/loop.h"

namespace nibble {

struct FullTrainingOptions : LoopOptions {
  std::filesystem::path teacher = {};  // empty: the data's own next tokens are learnt
  float temperature = 1;               // of both predictions
  bool keep_zeros = false;             // weights that are 0 stay 0
  DType dtype = DType::kBF16;          // of what is written: F32, F16 or BF16
  bool replace = false;                // an existing output
};

struct FullTrainingPlan : LoopPlan {
  std::size_t parameters = 0;
  std::uint64_t memory = 0;  // beyond mapped files
};

struct FullTrainingResult : LoopResult {
  FullTrainingPlan plan;
  std::size_t zeros = 0;  // that were kept
};

// `model`: a folder or file, packed or not; trained in float32, written as a Hugging Face folder
// with `training` in its passport. Goes on from OUT.journal. Throws what ModelSource, TrainingLoop
// and write_trained_folder throw; kInvalidArgument for a teacher with another vocabulary; kResource
// where it does not fit.
FullTrainingResult train_fully(const std::filesystem::path& model,
                               const std::filesystem::path& output,
                               const FullTrainingOptions& options, const ProgressSink& progress,
                               const LogSink& log,
                               const std::function<void(const FullTrainingPlan&)>& on_plan = {});

}  // namespace nibble
