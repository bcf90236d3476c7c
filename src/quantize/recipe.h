// What a quantization job was asked for, and what that means for each module of a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkpoint/layout.h"
#include "model/source.h"
#include "nibble/resume.h"
#include "quantize/calibration/calibration.h"
#include "quantize/method.h"
#include "quantize/transform.h"
#include "quantize/types/planned_tensor.h"

namespace nibble {

// For modules whose full name a regular expression (Python's) is found in; what is left out stays
// as asked for the whole model.
struct Override {
  std::string pattern;
  std::optional<std::string> method;
  const Grid* grid = nullptr;
  std::optional<std::size_t> group_size;  // 0: the whole row
};

struct QuantizeOptions {
  std::vector<std::string> transforms;  // by name, in the order they are applied
  std::string method = "gptq";
  std::string grid;  // empty: what the dialect stands for, else int4
  // None: the largest of the layout's usual ones that divides all rows.
  std::optional<std::size_t> group_size;
  std::map<std::string, std::string> settings;  // of methods and transforms, as given
  std::string layout;                           // empty: the first that can hold the grid
  std::string dialect;                          // of the layout; empty: its first
  std::vector<std::string> skip;                // in Python's syntax, searched in module names
  std::vector<Override> overrides;              // first match wins
  TypeOptions types;                            // of a GGUF file's tensors, beside the dialect
  CalibrationOptions calibration;
  std::filesystem::path statistics;  // of the inputs, instead of a text; empty: none
  std::filesystem::path imatrix;     // importance of the inputs, no more; empty: none
  Compute compute = Compute::kFloat32;
  std::uint64_t memory_limit = 0;  // bytes; 0: what the machine has
  std::uint64_t max_shard_bytes = 5'000'000'000;
  // Of a single file in parts: bytes of tensors in each; 0: one file.
  std::uint64_t max_part_bytes = 0;
  bool allow_requantize = false;  // decode what is quantized already, and quantize it again
  bool allow_nonfinite = false;   // leave such tensors unquantized instead of refusing
  bool force = false;             // replace an existing output
  Resume resume = Resume::kAuto;
};

// One linear layer to quantize.
struct PlannedModule {
  std::string name;  // "model.layers.0.mlp.up_proj"
  std::size_t layer = 0;
  Role role = Role::kQuery;
  const Method* method = nullptr;
  CodeShape shape;
  Storable storable;
  Options options;  // every one that the method reads, worked out

  // As a checkpoint's config has it.
  ModuleSettings settings() const {
    return {shape.grid, shape.group_size == shape.columns ? 0 : shape.group_size};
  }
  // Share of the drift of its inputs that its weights make up for (moments.h).
  double drift_share() const {
    return options.has("drift-correction") ? options.number("drift-correction") : 0;
  }
};

struct PlannedTransform {
  const Transform* transform = nullptr;
  Options options;
};

struct Recipe {
  std::vector<PlannedTransform> transforms;  // of every block, in this order
  std::vector<PlannedModule> modules;        // in the order they will be quantized
  std::vector<PlannedTensor> tensors;        // what else gets another type
  const Layout* layout = nullptr;
  LayoutSettings layout_settings;
  std::vector<std::string> notes;  // "groups of 64: 128 does not divide rows of 576"

  const PlannedTensor* tensor(std::string_view name) const;  // null: it stays as it is
  const PlannedModule* find(std::size_t layer, Role role) const;
  bool calibrated() const;  // somebody looks at the samples
  bool needs_hessian(std::size_t layer, Role role) const;
  // Of `windows` calibration windows, those whose original activations are followed.
  std::size_t followed_windows(std::size_t windows) const;
};

inline constexpr double kDriftCorrection = 0.3;

// `unusable`: modules that must stay as they are. Throws kInvalidArgument: model already quantized,
// group size or pattern that fits nothing, an option or calibration that nobody reads, a layout
// that cannot hold what is asked (says what can).
Recipe make_recipe(const ModelSource& source, const QuantizeOptions& options,
                   const std::set<std::string>& unusable = {});

}  // namespace nibble
