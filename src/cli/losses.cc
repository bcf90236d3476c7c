#include "cli/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace nibble::cli {
namespace {

constexpr std::size_t kWorst = 5;

std::string percent(const Json& share) {
  return fmt::format("{:.3g} %", 100 * share.get<double>());
}

void add_without_method(const Json& tensors, Json& losses) {
  std::size_t count = 0;
  bool told = true;  // nobody knows what was lost where a file was only moved
  double sum = 0;
  for (const Json& tensor : tensors) {
    const std::string name = json_string(tensor, "name", "");
    if (name == "embed_tokens" || name == "lm_head") continue;  // no layers
    ++count;
    const auto error = tensor.find("weight_error");
    told &= error != tensor.end() && error->is_number();
    if (told) sum += error->get<double>();
  }
  losses["without_method"] = count;
  losses["mean_weight_error"] =
      told && count > 0 ? Json(sum / static_cast<double>(count)) : Json(nullptr);
}

}  // namespace

Json losses_json(std::vector<ModuleLoss> modules, const Json& tensors) {
  Json losses = {{"modules", modules.size()},
                 {"fallbacks", std::count_if(modules.begin(), modules.end(),
                                             [](const ModuleLoss& m) { return m.fallback; })},
                 {"mean_output_error", nullptr},
                 {"worst", Json::array()}};
  add_without_method(tensors, losses);
  std::erase_if(modules, [](const ModuleLoss& module) { return !module.output_error; });
  if (modules.empty()) return losses;
  double sum = 0;
  for (const ModuleLoss& module : modules) sum += *module.output_error;
  losses["mean_output_error"] = sum / static_cast<double>(modules.size());
  std::stable_sort(modules.begin(), modules.end(), [](const ModuleLoss& a, const ModuleLoss& b) {
    return *a.output_error > *b.output_error;
  });
  modules.resize(std::min(modules.size(), kWorst));
  for (const ModuleLoss& module : modules)
    losses["worst"].push_back({{"name", module.name}, {"output_error", *module.output_error}});
  return losses;
}

std::vector<std::string> loss_lines(const Json& losses) {
  const auto fallbacks = losses["fallbacks"].get<std::size_t>();
  const std::string counts = cat(fallbacks, fallbacks == 1 ? " fallback" : " fallbacks", " in ",
                                 losses["modules"].get<std::size_t>(), " modules");
  const Json& mean = losses["mean_output_error"];
  std::vector<std::string> lines = {
      mean.is_null() ? cat("not measured: the method looks at no inputs; ", counts)
                     : cat("mean ", percent(mean), ", ", counts)};
  if (const auto others = losses["without_method"].get<std::size_t>(); others > 0) {
    const Json& weight_error = losses["mean_weight_error"];
    lines.push_back(cat(
        "not among them, since no method chose them: ", others, others == 1 ? " layer" : " layers",
        weight_error.is_null() ? "" : cat(", mean weight error ", percent(weight_error))));
  }
  for (const Json& module : losses["worst"])
    lines.push_back(fmt::format("{:>8}  {}", percent(module["output_error"]),
                                module["name"].get<std::string>()));
  return lines;
}

}  // namespace nibble::cli
