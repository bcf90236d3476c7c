#include "quantize/passport.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::array kTokenizerFiles = {"tokenizer.json",    "tokenizer_config.json",
                                        "tokenizer.model",   "special_tokens_map.json",
                                        "added_tokens.json", "vocab.json",
                                        "merges.txt"};

std::int64_t group_number(const CodeShape& shape) {
  return shape.group_size == shape.columns ? -1 : static_cast<std::int64_t>(shape.group_size);
}

// Numbers as numbers; what was left open stays out.
Json options_json(const Options& options) {
  Json json = Json::object();
  for (const auto& [name, value] : options.values()) {
    if (value == kDecided || value == "none") continue;
    Json parsed = Json::parse(value, nullptr, false);
    json[name] = parsed.is_number() ? parsed : Json(value);
  }
  return json;
}

// What most modules were asked for.
Json usual_module(const Recipe& recipe) {
  if (recipe.modules.empty()) return Json::object();
  std::map<std::string, std::size_t> counts;
  for (const PlannedModule& module : recipe.modules) ++counts[module_recipe_json(module).dump()];
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return Json::parse(most->first);
}

Json recipe_json(const Recipe& recipe, const QuantizeOptions& options, std::size_t windows) {
  Json transforms = Json::array();
  for (const PlannedTransform& planned : recipe.transforms)
    transforms.push_back(
        {{"name", planned.transform->name}, {"options", options_json(planned.options)}});
  const std::size_t followed = recipe.followed_windows(windows);
  Json json = usual_module(recipe);
  json["transforms"] = std::move(transforms);
  json["layout"] = recipe.layout->name;
  if (!recipe.layout_settings.dialect.empty()) json["dialect"] = recipe.layout_settings.dialect;
  if (!recipe.layout_settings.mix.empty()) json["mix"] = recipe.layout_settings.mix;
  if (options.types.pure) json["pure"] = true;
  if (followed > 0) json["drift_windows"] = followed;
  json["compute"] = options.compute == Compute::kBfloat16 ? "bf16" : "f32";
  json["unquantized"] = recipe.layout_settings.skipped;
  return json;
}

Json module_json(const ModuleReport& module) {
  Json json = module_recipe_json(module.module);
  json["name"] = module.module.name;
  json["weight_error"] = module.weight_error;
  json["output_error"] = module.output_error ? Json(*module.output_error) : Json(nullptr);
  json["damping_added"] = module.damping ? Json(*module.damping) : Json(nullptr);
  json["dead_columns"] = module.dead_columns;
  json["fallback"] = module.fallback;
  json["codes_sha256"] = module.codes_sha256;
  if (!module.notes.empty()) json["notes"] = module.notes;
  return json;
}

}  // namespace

std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const char* name : kTokenizerFiles)
    if (std::filesystem::exists(folder / name)) files.push_back(folder / name);
  return files;
}

std::vector<std::filesystem::path> model_files(const ModelSource& source) {
  auto files = source.checkpoint().files();
  if (source.checkpoint().gguf() == nullptr) files.push_back(source.folder() / "config.json");
  return files;
}

Json hash_files(const std::vector<std::filesystem::path>& files, const std::stop_token& stop) {
  Json hashes = Json::object();
  for (const auto& file : files) hashes[file.filename().string()] = sha256_of_file(file, stop);
  return hashes;
}

Json module_recipe_json(const PlannedModule& module) {
  Json json = {{"method", module.method->name},
               {"grid", module.shape.grid->name},
               {"bits", module.shape.bits()},
               {"group_size", group_number(module.shape)},
               {"options", options_json(module.options)}};
  if (module.storable.blocks != nullptr) json["type"] = module.storable.blocks->name;
  return json;
}

Json tensor_report_json(const TensorReport& report) {
  return {{"name", report.tensor.module},
          {"type", name(report.tensor.type)},
          {"weight_error", report.weight_error}};
}

Json read_passport(const ModelSource& source) {
  // What lies beside a GGUF file speaks of another model.
  if (const GgufMetadata* metadata = source.checkpoint().gguf()) {
    const auto text = metadata->text(kPassportKey);
    return text ? with_context(kPassportKey, [&] { return parse_json(*text); }) : Json(nullptr);
  }
  const auto file = source.folder() / kPassportName;
  return std::filesystem::exists(file) ? read_json(file) : Json(nullptr);
}

Json make_passport(const PassportParts& parts) {
  Json passport = {{"schema", "nibble.passport/1"}, {"version", NIBBLE_VERSION}};
  passport["base"] = parts.base_files;
  passport["tokenizer"] = parts.tokenizer_files;
  if (parts.calibration != nullptr) {
    const Calibration& calibration = *parts.calibration;
    passport["calibration"] = {{"source", calibration.description},
                               {"samples", calibration.samples},
                               {"seq_len", calibration.length},
                               {"tokens", calibration.samples * calibration.length},
                               {"tokens_sha256", calibration.hash}};
    if (!calibration.statistics.empty())
      passport["calibration"]["statistics_sha256"] = calibration.statistics;
  } else {
    passport["calibration"] = nullptr;
  }
  if (parts.importance != nullptr)
    passport["imatrix"] = {{"source", parts.importance->description()},
                           {"sha256", parts.importance->hash()}};
  passport["recipe"] =
      recipe_json(*parts.recipe, *parts.options,
                  parts.calibration != nullptr ? parts.calibration->samples : std::size_t{0});
  passport["seed"] = parts.options->calibration.seed;
  passport["instruction_set"] = parts.isa;
  Json modules = Json::array();
  for (const ModuleReport& module : *parts.modules) modules.push_back(module_json(module));
  passport["modules"] = std::move(modules);
  if (!parts.tensors->empty()) {
    Json tensors = Json::array();
    for (const TensorReport& report : *parts.tensors) tensors.push_back(tensor_report_json(report));
    passport["tensors"] = std::move(tensors);
  }
  if (!parts.transform_notes->empty()) passport["transform_notes"] = *parts.transform_notes;
  return passport;
}

}  // namespace nibble
