// Every parameter of a model as something to be trained: weights and biases of the blocks' layers,
// norms, embedding and head, in float32.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "nibble/dtype.h"
#include "train/loop.h"

namespace nibble {

class FullParameters final : public Trainee {
 public:
  // Takes the layers of `model` out and puts in float32 ones that read the trained values: what is
  // packed is unpacked. Both must outlive this. Throws kInvalidArgument for a source with an
  // adapter.
  FullParameters(const ModelSource& source, TrainingModel& model);

  // Under the checkpoint's names; a tied embedding and head are one. Matrices decay.
  std::span<Parameter> parameters() override { return parameters_; }
  std::span<const Parameter> parameters() const { return parameters_; }
  // Of the i-th parameter: [outputs, inputs] or [values].
  const std::vector<std::int64_t>& shape(std::size_t i) const { return shapes_[i]; }
  const ModelGradients& gradients() const override { return gradients_; }
  void refresh() override;
  std::size_t trained_values() const;
  // Weights of matrices that are 0 now stay 0: of a pruned model. Answers how many.
  std::size_t keep_zeros();

 private:
  std::span<float> parameter(const std::string& name, std::span<float> values,
                             std::vector<std::int64_t> shape);
  Matrix matrix(const std::string& name, const Linear& from, Tensor& values);
  std::span<float> norm(const std::string& name, std::vector<float>& gain);
  void take_block(const ModelSource& source, Block& block);
  void take_layer(const std::string& module, Role role, Block& block);

  std::vector<std::unique_ptr<Tensor>> weights_;
  std::vector<std::unique_ptr<std::vector<float>>> biases_;
  std::vector<Parameter> parameters_;
  std::vector<std::vector<std::int64_t>> shapes_;
  std::vector<std::unique_ptr<LayerGradient>> layer_gradients_;
  ModelGradients gradients_;
  std::vector<std::vector<bool>> zeros_;  // of each weight; empty: none is kept
};

struct TrainedFolderOptions {
  DType dtype = DType::kBF16;  // of all that was trained: F32, BF16 or F16
  bool replace = false;        // an existing output
  std::uint64_t max_shard_bytes = 5'000'000'000;
};

// Writes the model of `source` with what its parameters are now as a Hugging Face folder; what else
// the source holds comes along. `passport` has the keys of one without modules ("schema", "base",
// "tokenizer", "recipe", …), which verify_checkpoint looks for, and says how it was trained. Throws
// kInvalidArgument for another type, kNumeric for a value that the type cannot hold, and what
// create_plain_folder and CarriedParts throw.
void write_trained_folder(const std::filesystem::path& output, const ModelSource& source,
                          const FullParameters& trained, const Json& passport,
                          const TrainedFolderOptions& options, const ProgressSink& progress = {},
                          const LogSink& log = {});

}  // namespace nibble
