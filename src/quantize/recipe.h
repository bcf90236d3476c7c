// What a quantization job was asked for, and what that means for each module of a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "model/source.h"
#include "quantize/calibration.h"
#include "quantize/method.h"

namespace nibble {

struct Override {
  std::string pattern;  // Python's syntax, searched in the module's full name
  ModuleSettings settings;
};

struct QuantizeOptions {
  std::string method = "gptq";
  int bits = 4;
  std::optional<std::size_t> group_size;  // none: the largest of 128, 64, 32 that divides all rows
  bool symmetric = true;
  // Of the symmetric grid; none: kPlain with ScaleSearch::kAbsMax (the textbook), else kSigned.
  std::optional<Symmetry> symmetric_grid;
  MethodOptions method_options;
  // Share of the drift of a layer's inputs that its weights make up for (moments.h); none:
  // nothing with ScaleSearch::kAbsMax (the textbook), else kDriftCorrection. Needs a Hessian.
  std::optional<double> drift_correction;
  // Windows whose original activations are followed for it; none: half of all.
  std::optional<std::size_t> drift_samples;
  std::string layout = "gptq";
  std::string variant = "gptq";
  std::vector<std::string> skip;    // the same, of modules that stay as they are
  std::vector<Override> overrides;  // first match wins
  CalibrationOptions calibration;
  Compute compute = Compute::kFloat32;
  std::uint64_t memory_limit = 0;  // bytes; 0: what the machine has
  std::uint64_t max_shard_bytes = 5'000'000'000;
  bool allow_nonfinite = false;  // leave such tensors unquantized instead of refusing
  bool force = false;            // replace an existing output
};

inline constexpr double kDriftCorrection = 0.3;

// Of `windows` calibration windows, those that show the drift.
std::size_t followed_windows(const QuantizeOptions& options, std::size_t windows);

// One linear layer to quantize.
struct PlannedModule {
  std::string name;  // "model.layers.0.mlp.up_proj"
  std::size_t layer = 0;
  Role role = Role::kQuery;
  std::size_t rows = 0, columns = 0;
  ModuleSettings settings;
};

struct Recipe {
  std::vector<PlannedModule> modules;  // in the order they will be quantized
  LayoutSettings layout_settings;
  Symmetry symmetry = Symmetry::kSigned;
  double drift_correction = 0;
  std::vector<std::string> notes;  // "groups of 64: 128 does not divide rows of 576"
  const PlannedModule* find(std::size_t layer, Role role) const;
};

// Throws kInvalidArgument before any work: a group size that does not divide (naming the layers
// and the sizes that fit), a pattern that matches nothing, a method or layout that cannot.
// Modules named in `unusable` stay as they are.
Recipe make_recipe(const ModelSource& source, const QuantizeOptions& options,
                   const std::set<std::string>& unusable = {});

}  // namespace nibble
