#include "checkpoint/layouts/torchao_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "formats/grid.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kFix = "start from the original checkpoint";

const Json& member(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object())
    throw Error(ErrorKind::kUnsupported, cat("\"", key, "\" is not there or no object"), kFix);
  return *found;
}

// Of "granularity" or, in older files, "group_size".
std::optional<std::size_t> group_in(const Json& data) {
  const auto size_in = [](const Json& object) {
    return static_cast<std::size_t>(json_int(object, "group_size", 1, 1, 1 << 24));
  };
  for (const char* key : {"granularity", "weight_granularity"}) {
    const auto found = data.find(key);
    if (found == data.end() || !found->is_object()) continue;
    const std::string type = json_string(*found, "_type", "");
    if (type == "PerAxis" || type == "PerRow") return 0;
    const auto inner = found->find("_data");
    if (type == "PerGroup" && inner != found->end() && inner->is_object() &&
        inner->contains("group_size"))
      return size_in(*inner);
    return std::nullopt;
  }
  const auto plain = data.find("group_size");
  if (plain == data.end() || plain->is_null()) return std::nullopt;
  return size_in(data);
}

}  // namespace

TorchaoConfig read_torchao_config(const Json& config) {
  return with_context("\"quant_type\"", [&] {
    const Json& kind = member(member(config, "quant_type"), "default");
    const std::string type = json_string(kind, "_type", "");
    const auto is_one_of = [&](const auto& names) {
      return std::find(names.begin(), names.end(), type) != names.end();
    };
    TorchaoConfig settings;
    settings.rounds_inputs = is_one_of(kTorchaoRoundInputs);
    if (!settings.rounds_inputs && !is_one_of(kTorchaoWeightOnly))
      throw Error(
          ErrorKind::kUnsupported,
          cat("is ", type.substr(0, 80), "; supported: ", kTorchaoWeightOnly[0], ", ",
              kTorchaoWeightOnly[1], ", ", kTorchaoRoundInputs[0], ", ", kTorchaoRoundInputs[1]),
          kFix);
    const Json& data = member(kind, "_data");
    settings.group = group_in(data);
    const auto width = data.find("weight_dtype");
    if (width == data.end() || width->is_null()) return settings;
    const std::string name = width->is_object() ? json_string(*width, "_data", "") : width->dump();
    const Grid* grid = grids::find(name);
    if (grid == nullptr || !grid->uniform())
      throw Error(ErrorKind::kUnsupported,
                  cat("weight_dtype is ", name.substr(0, 40), "; supported: int2 to int6 and int8"),
                  kFix);
    settings.bits = grid->bits;
    return settings;
  });
}

Json tagged(std::string_view type, Json data) {
  return {{"_type", type}, {"_data", std::move(data)}};
}

Json write_torchao_config(const LayoutSettings& settings) {
  const std::size_t group = settings.base.group_size;
  Json granularity =
      group == 0 ? tagged("PerAxis", {{"axis", 0}}) : tagged("PerGroup", {{"group_size", group}});
  granularity["_version"] = 1;
  Json kind = tagged(
      kTorchaoWeightOnly[1],
      {{"granularity", std::move(granularity)},
       {"intx_choose_qparams_algorithm", tagged("IntxChooseQParamsAlgorithm", "AFFINE")},
       {"intx_packing_format", tagged("IntxPackingFormat", "UNPACKED_TO_INT8")},
       {"mapping_type", tagged("MappingType", settings.symmetric ? "SYMMETRIC" : "ASYMMETRIC")},
       {"scale_dtype", nullptr},
       {"weight_dtype", tagged("torch.dtype", settings.base.grid->name)}});
  kind["_version"] = 2;
  return {
      {"quant_method", "torchao"},
      {"quant_type", {{"default", std::move(kind)}}},
      {"include_input_output_embeddings", false},
      {"modules_to_not_convert", settings.skipped.empty() ? Json(nullptr) : Json(settings.skipped)},
      {"untie_embedding_weights", false}};
}

}  // namespace nibble::layouts
