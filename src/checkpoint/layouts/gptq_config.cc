#include "checkpoint/layouts/gptq_config.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

ModuleSettings module_settings(const Json& object, ModuleSettings base) {
  const int width = static_cast<int>(json_int(object, "bits", base.grid->bits, 1, 8));
  if (width != 2 && width != 3 && width != 4 && width != 8)
    throw Error(ErrorKind::kUnsupported, cat("\"bits\" is ", width, "; supported: 2, 3, 4, 8"));
  const std::int64_t otherwise =
      base.group_size == 0 ? -1 : static_cast<std::int64_t>(base.group_size);
  const std::int64_t group = json_int(object, "group_size", otherwise, -1, 1 << 24);
  if (group == 0)
    throw Error(ErrorKind::kCorruptFile, "\"group_size\" is 0; expected -1 or a positive number");
  return {&grids::uniform(width), group < 0 ? 0 : static_cast<std::size_t>(group)};
}

}  // namespace

GptqConfig read_gptq_config(const Json& config) {
  GptqConfig result;
  result.base = module_settings(config, {&grids::uniform(4), 128});
  result.symmetric = json_bool(config, "sym", true);
  result.desc_act = json_bool(config, "desc_act", false);
  result.checkpoint_format =
      json_string(config, "checkpoint_format", json_string(config, "format", "gptq"));
  if (result.checkpoint_format != "gptq" && result.checkpoint_format != "gptq_v2")
    throw Error(ErrorKind::kUnsupported,
                cat("\"checkpoint_format\" is \"", result.checkpoint_format,
                    "\"; supported: gptq, gptq_v2"));
  if (const auto meta = config.find("meta"); meta != config.end() && meta->is_object())
    if (const auto tools = meta->find("quantizer"); tools != meta->end())
      result.subtracts_by_word = tools->dump().find("gptqmodel") != std::string::npos;
  if (const auto dynamic = config.find("dynamic"); dynamic != config.end() && dynamic->is_object())
    with_context("\"dynamic\"", [&] {
      // As GPTQModel does: the first key that matches decides; "-:" leaves modules alone.
      for (const auto& [key, value] : dynamic->items()) {
        const bool skips = key.starts_with("-:");
        const std::string pattern = skips || key.starts_with("+:") ? key.substr(2) : key;
        std::optional<ModuleSettings> settings;
        if (!skips) settings = module_settings(value, result.base);
        result.dynamic.add(pattern, settings);
      }
    });
  return result;
}

Json write_gptq_config(const LayoutSettings& settings) {
  const auto group = [](const ModuleSettings& module) {
    return module.group_size == 0 ? -1 : static_cast<std::int64_t>(module.group_size);
  };
  Json config = {{"bits", settings.base.grid->bits},
                 {"group_size", group(settings.base)},
                 {"desc_act", settings.group_index},
                 {"sym", settings.symmetric},
                 {"lm_head", false},
                 {"quant_method", "gptq"},
                 {"checkpoint_format", settings.dialect.empty() ? "gptq" : settings.dialect},
                 {"pack_dtype", "int32"}};
  Json dynamic = Json::object();
  for (const std::string& module : settings.skipped)
    dynamic["-:" + ModuleRules::exactly(module)] = Json::object();
  for (const auto& [module, own] : settings.overrides)
    dynamic["+:" + ModuleRules::exactly(module)] = {{"bits", own.grid->bits},
                                                    {"group_size", group(own)}};
  if (!dynamic.empty()) config["dynamic"] = std::move(dynamic);
  config["meta"] = {{"quantizer", Json::array({cat("nibble:", NIBBLE_VERSION)})},
                    {"damp_percent", settings.damping},
                    {"true_sequential", true},
                    {"static_groups", !settings.group_index}};
  return config;
}

}  // namespace nibble::layouts
