// quantization_config of compressed-tensors checkpoints: groups, their targets, and what is
// ignored.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layouts/compressed_tensors.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kExpression = "re:";
constexpr std::string_view kReadable =
    "readable are integer codes, pack-quantized or int-quantized";

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

CompressedScheme scheme_from(const Json& weights) {
  const std::string type = json_string(weights, "type", "int");
  const int bits = static_cast<int>(json_int(weights, "num_bits", 8, 1, 64));
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

Json weights_json(const ModuleSettings& settings, bool symmetric) {
  const bool grouped = settings.group_size != 0;
  return {{"num_bits", settings.grid->bits},
          {"type", "int"},
          {"symmetric", symmetric},
          {"strategy", grouped ? "group" : "channel"},
          {"group_size", grouped ? Json(settings.group_size) : Json(nullptr)},
          {"dynamic", false}};
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
  const bool bytes = is_int_dialect(settings.dialect);
  const auto group_json = [&](const ModuleSettings& module, Json targets) -> Json {
    Json inputs = nullptr;
    if (bytes)
      inputs = {{"num_bits", 8},
                {"type", "int"},
                {"symmetric", true},
                {"strategy", "token"},
                {"dynamic", true}};
    return {{"targets", std::move(targets)},
            {"weights", weights_json(module, settings.symmetric)},
            {"input_activations", std::move(inputs)},
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
          {"format", bytes ? "int-quantized" : "pack-quantized"},
          {"quantization_status", "compressed"},
          {"global_compression_ratio", nullptr},
          {"kv_cache_scheme", nullptr},
          {"ignore", std::move(ignored)},
          {"config_groups", std::move(groups)}};
}

}  // namespace nibble::layouts
