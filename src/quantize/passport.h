// nibble.json: where an output came from, how it was made and what each module lost. Holds nothing
// that differs between two runs of the same job: no time, no path, no thread count.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "quantize/calibration/calibration.h"
#include "quantize/calibration/input_importance.h"
#include "quantize/recipe.h"

namespace nibble {

struct ModuleReport {
  PlannedModule module;                // what was asked of it
  double weight_error = 0;             // ‖W − Ŵ‖² / ‖W‖²
  std::optional<double> output_error;  // the same through the Hessian, where there was one
  std::optional<double> damping;
  std::size_t dead_columns = 0;
  bool fallback = false;
  std::vector<std::string> notes;
  std::string codes_sha256;  // of Codes::codes, before packing
};

struct TensorReport {
  PlannedTensor tensor;
  double weight_error = 0;
};
Json tensor_report_json(const TensorReport& report);

// SHA-256 of each weight file and tokenizer file: {"model.safetensors": "…"}.
Json hash_files(const std::vector<std::filesystem::path>& files, const std::stop_token& stop = {});
std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& folder);
// Weights and, where a GGUF file does not hold it, config.json.
std::vector<std::filesystem::path> model_files(const ModelSource& source);

struct PassportParts {
  Json base_files;  // hash_files of the weights and config.json
  Json tokenizer_files;
  const Recipe* recipe = nullptr;
  const QuantizeOptions* options = nullptr;
  const Calibration* calibration = nullptr;  // null: none
  const InputImportance* importance = nullptr;
  const std::vector<ModuleReport>* modules = nullptr;
  const std::vector<TensorReport>* tensors = nullptr;
  const std::vector<std::string>* transform_notes = nullptr;
  std::string isa;
};
// Method, grid, group and options of a module, or of those that most modules share.
Json module_recipe_json(const PlannedModule& module);
Json make_passport(const PassportParts& parts);
// The one beside an opened model, or in its file; null when there is none. Throws kCorruptFile.
Json read_passport(const ModelSource& source);

}  // namespace nibble
