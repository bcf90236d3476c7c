// The whole job: a model folder or GGUF file in, a quantized checkpoint with its passport out,
// block by block.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "base/progress.h"
#include "quantize/passport.h"
#include "quantize/plan.h"
#include "quantize/recipe.h"
#include "quantize/refinement/refinement.h"

namespace nibble {

struct QuantizeSinks {
  ProgressSink progress;
  LogSink log;                                              // notes and warnings
  std::function<void(const Plan&, const Recipe&)> planned;  // before work starts
  std::function<void(const ModuleReport&, std::size_t done, std::size_t total)> module_done;
};

struct QuantizeResult {
  Plan plan;
  std::string_view layout;
  std::filesystem::path output;  // what to open: the first part of a file in several
  Calibration calibration;       // samples 0: none was needed
  std::vector<ModuleReport> modules;
  std::vector<TensorReport> tensors;         // of other types, without a method
  std::vector<std::string> transform_notes;  // what transforms did, block by block
  std::size_t resumed_layers = 0;            // done by an earlier run of the same job
};

// `model`: a folder with config.json, tokenizer.json and safetensors, or a GGUF file. `output` is
// created, a folder or a file; it holds the complete checkpoint or what it held before. With
// `dry_run` nothing is written, calibration files are read, and the result has no modules. Throws
// Error; see Recipe, Calibration and Plan for what is refused early. A long job keeps a journal
// beside its output (nibble/resume.h); the same job goes on from there and gives the same bytes.
// `refinement`: what becomes of the codes before they are written; may be null.
QuantizeResult quantize_model(const std::filesystem::path& model,
                              const std::filesystem::path& output, const QuantizeOptions& options,
                              const QuantizeSinks& sinks, bool dry_run,
                              const Refinement* refinement = nullptr);

}  // namespace nibble
