// Takes weights out of a model: single ones, which become zeros, or whole heads and channels.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "prune/amount.h"
#include "prune/structure.h"
#include "quantize/calibration/calibration.h"

namespace nibble {

struct PruneOptions {
  // Single weights: one of the two.
  std::optional<double> sparsity = {};
  std::optional<Pattern> pattern = {};
  std::string method = {};  // methods/list.def; empty: sparsegpt
  // Whole heads, whole channels, or both; not together with single weights.
  std::optional<double> heads = {}, channels = {};
  bool repair = true;                   // what stays makes up for them
  std::optional<double> damping = {};   // none: the methods' own
  CalibrationOptions calibration = {};  // where the method looks at inputs
  Compute compute = Compute::kFloat32;
  std::uint64_t memory_limit = 0;  // bytes; 0: what the machine has
  std::uint64_t max_shard_bytes = 5'000'000'000;
  bool replace = false;  // an existing output

  bool structured() const { return heads || channels; }
};

// What it will be, told before the work.
struct PrunePlan {
  std::size_t layers = 0, modules = 0;                  // looked at
  std::uint64_t weights = 0, weights_gone = 0;          // of the layers' matrices
  Structure structure;                                  // sizes of the model that comes out
  std::size_t heads = 0, kv_heads = 0, mlp_hidden = 0;  // of the one that goes in
  std::uint64_t input_bytes = 0, output_bytes = 0;
  std::uint64_t peak_memory = 0, memory_limit = 0;  // beyond the mapped checkpoint
};

struct PrunedModule {
  std::string name;
  Role role = Role::kQuery;
  std::uint64_t weights = 0, zeros = 0;  // zeros: those that went with whole columns, too
  double weight_error = 0;               // ‖W − Ŵ‖² / ‖W‖², what went counts whole
  std::optional<double> output_error;    // the same through the Hessian, where there was one
  std::optional<double> damping;
  std::size_t dead_columns = 0;
  std::vector<std::string> notes;
};

struct PruneResult {
  PrunePlan plan;
  std::string method;  // "units" where whole heads or channels go
  Calibration calibration;
  std::vector<PrunedModule> modules;
};

using PrunePlanSink = std::function<void(const PrunePlan&)>;

// `model`: a folder or GGUF file of 16- or 32-bit weights. Writes a folder with 16-bit weights and
// a passport. Any number of threads gives the same bytes.
// Throws what ModelSource, gather_calibration and OutputFolder throw; kInvalidArgument for options
// that contradict each other or fit the model not; kUnsupported for a packed model; kNumeric for
// weights that are not finite; kResource where it needs more memory than there is.
PruneResult prune_model(const std::filesystem::path& model, const std::filesystem::path& output,
                        const PruneOptions& options, const ProgressSink& progress,
                        const LogSink& log, const PrunePlanSink& on_plan = {});

}  // namespace nibble
