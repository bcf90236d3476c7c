// quantization_config of compressed-tensors checkpoints: groups, their targets, and what is
// ignored.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/text.h"
#include "checkpoint/layouts/compressed_tensors.h"
#include "checkpoint/layouts/float_codes.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kExpression = "re:";
constexpr std::string_view kReadable =
    "readable are integer codes (pack-quantized, int-quantized), fp8, mxfp4 and nvfp4";
constexpr std::size_t kMostRowsOfBlock = 1 << 20;

[[noreturn]] void unsupported(const std::string& what, std::string_view fix) {
  throw Error(ErrorKind::kUnsupported, what, std::string(fix));
}

bool has_object(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object();
}

std::vector<std::string> names_in(const Json& object, const char* key) {
  std::vector<std::string> names;
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return names;
  if (!found->is_array())
    throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is not a list of names"));
  for (const Json& name : *found) {
    if (!name.is_string())
      throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" holds ", name.dump(), ", no name"));
    names.push_back(name.get<std::string>());
  }
  return names;
}

// Sizes of a block: [rows, columns].
std::pair<std::size_t, std::size_t> block_in(const Json& weights) {
  const auto found = weights.find("block_structure");
  const auto size = [&](std::size_t i) {
    const Json& value = (*found)[i];
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 ||
        value.get<std::uint64_t>() > kMostRowsOfBlock)
      throw Error(ErrorKind::kCorruptFile, cat("\"block_structure\" is ", found->dump()));
    return value.get<std::size_t>();
  };
  if (found == weights.end() || !found->is_array() || found->size() != 2)
    throw Error(ErrorKind::kCorruptFile,
                "\"strategy\" is block, but \"block_structure\" is no list of two sizes");
  return {size(0), size(1)};
}

CompressedScheme float_scheme_from(const Json& weights, int bits) {
  const std::int64_t group = json_int(weights, "group_size", -1, -1, 1 << 24);
  const std::string strategy = json_string(weights, "strategy", group > 0 ? "group" : "channel");
  CompressedScheme scheme;
  if (bits == 4) {
    const bool nested = strategy == "tensor_group" || group == 16;
    scheme.settings = {&grids::named(nested ? "nvfp4" : "mxfp4"), nested ? 16u : 32u};
    if (group > 0 && static_cast<std::size_t>(group) != scheme.settings.group_size)
      unsupported(cat("4-bit floats in groups of ", group), "readable are groups of 16 and of 32");
    return scheme;
  }
  if (bits != 8 || json_string(weights, "scale_dtype", "") == "torch.uint8")
    unsupported(cat("\"weights\" are floats of ", bits, " bits",
                    bits == 8 ? " with scales that are powers of two" : ""),
                kReadable);
  scheme.settings = {&grids::named("fp8"), group > 0 ? static_cast<std::size_t>(group) : 0};
  if (strategy == "block")
    std::tie(scheme.rows_of_block, scheme.settings.group_size) = block_in(weights);
  else if (strategy != "group" && strategy != "channel" && strategy != "tensor")
    unsupported(cat("\"strategy\" of the weights is \"", strategy, "\""),
                "readable are block, group, channel and tensor");
  return scheme;
}

CompressedScheme scheme_from(const Json& weights) {
  const std::string type = json_string(weights, "type", "int");
  const int bits = static_cast<int>(json_int(weights, "num_bits", 8, 1, 64));
  if (type == "float") return float_scheme_from(weights, bits);
  if (type != "int")
    unsupported(cat("\"weights\" are of type ", type, " with ", bits, " bits"), kReadable);
  const std::int64_t group = json_int(weights, "group_size", -1, -1, 1 << 24);
  const std::string strategy = json_string(weights, "strategy",
                                           group > 0   ? "group"
                                           : group < 0 ? "channel"
                                                       : "");
  if (strategy != "group" && strategy != "channel" && strategy != "tensor")
    unsupported(cat("\"strategy\" of the weights is \"", strategy, "\""),
                "readable are group, channel and tensor");
  if (strategy == "group" && group <= 0)
    throw Error(ErrorKind::kCorruptFile, "\"strategy\" is group, but \"group_size\" is no number");
  CompressedScheme scheme;
  scheme.settings = {&grids::uniform(bits), group > 0 ? static_cast<std::size_t>(group) : 0};
  scheme.symmetric = json_bool(weights, "symmetric", true);
  return scheme;
}

// Things that change the weights and are done by nobody here.
void refuse_further_steps(const Json& config) {
  if (has_object(config, "sparsity_config")) {
    const std::string format = json_string(config["sparsity_config"], "format", "dense");
    if (format != "dense")
      unsupported(cat("\"sparsity_config\" has format ", format, ": sparse weights are not read"),
                  "save the model with dense weights");
  }
  if (has_object(config, "transform_config") &&
      has_object(config["transform_config"], "config_groups") &&
      !config["transform_config"]["config_groups"].empty())
    unsupported("\"transform_config\" asks for transforms of the inputs, which are not done here",
                "start from a checkpoint without them");
}

Json weights_json(const ModuleSettings& settings, CompressedForm form, bool symmetric) {
  const bool grouped = settings.group_size != 0;
  Json json = {{"num_bits", settings.grid->bits},
               {"type", is_float_form(form) ? "float" : "int"},
               {"symmetric", is_float_form(form) || symmetric},
               {"strategy", grouped ? "group" : "channel"},
               {"group_size", grouped ? Json(settings.group_size) : Json(nullptr)},
               {"dynamic", false}};
  const auto scales = [&](std::string_view type) { json["scale_dtype"] = json["zp_dtype"] = type; };
  if (form == CompressedForm::kMxfp4) scales("torch.uint8");
  if (form == CompressedForm::kNvfp4) {
    json["strategy"] = "tensor_group";
    scales("torch.float8_e4m3fn");
  }
  if (form == CompressedForm::kFloat8Blocks) {
    json["strategy"] = "block";
    json["block_structure"] = {kRowsOfBlock, settings.group_size};
    json["group_size"] = nullptr;
  }
  return json;
}

// What readers are to bring the inputs of a layer onto before they multiply: a scale of its own for
// each token, and beside blocks for each block of it.
Json inputs_json(CompressedForm form) {
  using enum CompressedForm;
  if (form != kBytes && form != kFloat8 && form != kFloat8Blocks) return nullptr;
  Json json = {{"num_bits", 8},
               {"type", form == kBytes ? "int" : "float"},
               {"symmetric", true},
               {"strategy", "token"},
               {"dynamic", true}};
  if (form == kFloat8Blocks) {
    json["strategy"] = "group";
    json["group_size"] = 128;
  }
  return json;
}

}  // namespace

CompressedConfig::CompressedConfig(const Json& config) {
  status = json_string(config, "quantization_status", "");
  rounds_cache = has_object(config, "kv_cache_scheme");
  refuse_further_steps(config);
  if (!has_object(config, "config_groups"))
    throw Error(ErrorKind::kCorruptFile, "\"config_groups\" is not an object");
  // A module's own name comes before any expression, and of expressions the first by alphabet.
  std::vector<std::tuple<bool, std::string, std::size_t>> targets;
  for (const auto& [name, group] : config["config_groups"].items())
    with_context(cat("config group \"", name, "\""), [&] {
      if (!group.is_object())
        unsupported("is the name of a preset, not an object", "write its settings out");
      CompressedScheme scheme;
      if (has_object(group, "weights")) scheme = scheme_from(group["weights"]);
      rounds_inputs |= has_object(group, "input_activations");
      for (const std::string& target : names_in(group, "targets"))
        targets.emplace_back(target.starts_with(kExpression), target, schemes_.size());
      schemes_.push_back(scheme);
    });
  std::stable_sort(targets.begin(), targets.end());
  for (const auto& [expression, target, scheme] : targets) {
    if (!expression && target.find('.') == std::string::npos && target.ends_with("Linear")) {
      if (!of_linear_) of_linear_ = scheme;
      continue;
    }
    rules_.add(expression ? target.substr(kExpression.size()) : ModuleRules::exactly(target), {});
    scheme_of_rule_.push_back(scheme);
  }
  for (const std::string& name : names_in(config, "ignore")) {
    ignores_linear_ |= name == "Linear";
    ignored_.add(name.starts_with(kExpression) ? name.substr(kExpression.size())
                                               : ModuleRules::exactly(name),
                 {});
  }
}

const CompressedScheme* CompressedConfig::scheme_of(const std::string& module) const {
  if (const auto rule = rules_.match(module)) return &schemes_[scheme_of_rule_[*rule]];
  return of_linear_ ? &schemes_[*of_linear_] : nullptr;
}

bool CompressedConfig::ignores(const std::string& module) const {
  return ignores_linear_ || ignored_.match(module).has_value();
}

Json write_compressed_config(const LayoutSettings& settings) {
  std::set<std::string_view> formats;
  const auto group_json = [&](const ModuleSettings& module, Json targets) -> Json {
    const CompressedForm form = compressed_form(*module.grid, settings.dialect);
    formats.insert(format_name(form));
    return {{"targets", std::move(targets)},
            {"format", format_name(form)},
            {"weights", weights_json(module, form, settings.symmetric)},
            {"input_activations", inputs_json(form)},
            {"output_activations", nullptr}};
  };
  Json groups = {{"group_0", group_json(settings.base, Json::array({"Linear"}))}};
  std::vector<std::pair<ModuleSettings, Json>> others;
  for (const auto& rule : settings.overrides) {
    const ModuleSettings& own = rule.second;
    if (own == settings.base) continue;
    auto found = std::find_if(others.begin(), others.end(),
                              [&](const auto& other) { return other.first == own; });
    if (found == others.end()) found = others.insert(found, {own, Json::array()});
    found->second.push_back(rule.first);
  }
  for (auto& [own, targets] : others)
    groups[cat("group_", groups.size())] = group_json(own, std::move(targets));
  // Readers expect codes of every linear layer that is not named here.
  Json ignored = settings.skipped;
  ignored.push_back("lm_head");
  return {{"quant_method", "compressed-tensors"},
          {"format", formats.size() == 1 ? *formats.begin() : "mixed-precision"},
          {"quantization_status", "compressed"},
          {"global_compression_ratio", nullptr},
          {"kv_cache_scheme", nullptr},
          {"ignore", std::move(ignored)},
          {"config_groups", std::move(groups)}};
}

}  // namespace nibble::layouts
