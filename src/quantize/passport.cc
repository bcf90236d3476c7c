#include "quantize/passport.h"

#include <array>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"

namespace nibble {
namespace {

constexpr std::array kTokenizerFiles = {"tokenizer.json",    "tokenizer_config.json",
                                        "tokenizer.model",   "special_tokens_map.json",
                                        "added_tokens.json", "vocab.json",
                                        "merges.txt"};

std::string_view text_of(ScaleSearch search) {
  return search == ScaleSearch::kAbsMax ? "absmax"
         : search == ScaleSearch::kMse  ? "mse"
                                        : "weighted";
}

std::string_view text_of(ColumnOrder order) {
  switch (order) {
    case ColumnOrder::kStatic:
      return "static";
    case ColumnOrder::kNone:
      return "none";
    case ColumnOrder::kGroupIndex:
      return "gidx";
    case ColumnOrder::kGroupAware:
      return "group-aware";
  }
  return "";
}

std::string_view text_of(Symmetry symmetry) {
  switch (symmetry) {
    case Symmetry::kAsymmetric:
      return "asymmetric";
    case Symmetry::kPlain:
      return "plain";
    case Symmetry::kFullRange:
      return "full-range";
    case Symmetry::kSigned:
      return "signed";
  }
  return "";
}

std::int64_t group_number(std::size_t group_size) {
  return group_size == 0 ? -1 : static_cast<std::int64_t>(group_size);
}

Json recipe_json(const Recipe& recipe, const QuantizeOptions& options, std::size_t windows) {
  Json json = {
      {"method", options.method},
      {"bits", options.bits},
      {"group_size", group_number(recipe.layout_settings.base.group_size)},
      {"grid", text_of(recipe.symmetry)},
      {"scales", text_of(options.method_options.scales)},
      {"act_order", text_of(options.method_options.order)},
      {"damping", options.method_options.damping},
      {"drift_correction", recipe.drift_correction},
      {"drift_samples", recipe.drift_correction > 0 ? followed_windows(options, windows) : 0},
      {"compute", options.compute == Compute::kBfloat16 ? "bf16" : "f32"},
      {"layout", options.layout},
      {"checkpoint_format", options.variant},
      {"skip", options.skip}};
  Json overrides = Json::array();
  for (const Override& rule : options.overrides)
    overrides.push_back({{"pattern", rule.pattern},
                         {"bits", rule.settings.bits},
                         {"group_size", group_number(rule.settings.group_size)}});
  json["overrides"] = std::move(overrides);
  json["unquantized"] = recipe.layout_settings.skipped;
  return json;
}

Json module_json(const ModuleReport& module) {
  Json json = {{"name", module.name},
               {"bits", module.bits},
               {"group_size", group_number(module.group_size)},
               {"weight_error", module.weight_error},
               {"output_error", module.output_error},
               {"damping", module.damping},
               {"dead_columns", module.dead_columns},
               {"fallback", module.fallback},
               {"codes_sha256", module.codes_sha256}};
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

Json hash_files(const std::vector<std::filesystem::path>& files) {
  Json hashes = Json::object();
  for (const auto& file : files) hashes[file.filename().string()] = sha256_of_file(file);
  return hashes;
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
                               {"tokens", calibration.ids.size()},
                               {"tokens_sha256", calibration.hash}};
  } else {
    passport["calibration"] = nullptr;
  }
  passport["recipe"] =
      recipe_json(*parts.recipe, *parts.options,
                  parts.calibration != nullptr ? parts.calibration->samples : std::size_t{0});
  passport["seed"] = parts.options->calibration.seed;
  passport["instruction_set"] = parts.isa;
  Json modules = Json::array();
  for (const ModuleReport& module : *parts.modules) modules.push_back(module_json(module));
  passport["modules"] = std::move(modules);
  return passport;
}

}  // namespace nibble
