#include "prune/passport.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "kernels/kernels.h"

namespace nibble {
namespace {

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json calibration_of(const PruneOptions& options, const Calibration& calibration) {
  if (calibration.samples == 0) return nullptr;
  return {{"source", calibration.description},
          {"samples", calibration.samples},
          {"seq_len", calibration.length},
          {"tokens", calibration.samples * calibration.length},
          {"tokens_sha256", calibration.hash},
          {"compute", options.compute == Compute::kBfloat16 ? "bf16" : "f32"}};
}

}  // namespace

Json pruned_json(const PrunedModule& module) {
  return {{"name", module.name},
          {"weights", module.weights},
          {"zeros", module.zeros},
          {"weight_error", module.weight_error},
          {"output_error", or_null(module.output_error)},
          {"damping_added", or_null(module.damping)},
          {"dead_columns", module.dead_columns},
          {"notes", module.notes}};
}

Json prune_passport(const PruneOptions& options, const PruneResult& result, Json base,
                    Json tokenizer, std::string_view type) {
  Json modules = Json::array();
  for (const PrunedModule& module : result.modules) modules.push_back(pruned_json(module));
  const auto& pattern = options.pattern;
  Json pruned = {{"method", result.method},
                 {"sparsity", or_null(options.sparsity)},
                 {"pattern", pattern ? Json(cat(pattern->stay, ":", pattern->of)) : Json(nullptr)},
                 {"heads", or_null(options.heads)},
                 {"channels", or_null(options.channels)},
                 {"repair", options.structured() && options.repair},
                 {"type", type},
                 {"modules", std::move(modules)}};
  return {{"schema", "nibble.passport/1"},
          {"version", NIBBLE_VERSION},
          {"base", std::move(base)},
          {"tokenizer", std::move(tokenizer)},
          {"calibration", calibration_of(options, result.calibration)},
          {"instruction_set", kernels().name},
          {"seed", options.calibration.seed},
          {"recipe", Json::object()},
          // Of quantized ones, of which there are none.
          {"modules", Json::array()},
          {"pruned", std::move(pruned)}};
}

}  // namespace nibble
