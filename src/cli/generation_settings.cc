#include "cli/generation_settings.h"

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

constexpr std::uint64_t kMaxBytes = 1 << 20;

// eos_token_id: a number or a list of them.
std::vector<std::int32_t> stop_ids(const Json& config) {
  std::vector<std::int32_t> ids;
  const auto found = config.find("eos_token_id");
  if (found == config.end() || found->is_null()) return ids;
  for (const Json& id : found->is_array() ? *found : Json::array({*found})) {
    if (!id.is_number_integer())
      throw Error(ErrorKind::kCorruptFile, "eos_token_id must be a number or a list of numbers");
    ids.push_back(id.get<std::int32_t>());
  }
  return ids;
}

}  // namespace

GenerationSettings generation_settings(const std::filesystem::path& folder) {
  GenerationSettings settings;
  const fs::path file = folder / "generation_config.json";
  if (!fs::exists(file)) return settings;
  const Json config = read_json(file, kMaxBytes);
  if (!config.is_object())
    throw Error(ErrorKind::kCorruptFile, file.string() + ": expected an object");
  with_context(file.string(), [&] {
    settings.temperature = json_number(config, "temperature", settings.temperature);
    settings.top_k = static_cast<int>(json_int(config, "top_k", settings.top_k, 0, 1 << 24));
    settings.top_p = json_number(config, "top_p", settings.top_p);
    settings.min_p = json_number(config, "min_p", settings.min_p);
    settings.repeat_penalty = json_number(config, "repetition_penalty", settings.repeat_penalty);
    settings.stop = stop_ids(config);
    if (!json_bool(config, "do_sample", true)) settings.temperature = 0;
  });
  return settings;
}

Json json_of(const GenerationSettings& settings) {
  return {{"temp", settings.temperature},
          {"top_k", settings.top_k},
          {"top_p", settings.top_p},
          {"min_p", settings.min_p},
          {"repeat_penalty", settings.repeat_penalty}};
}

}  // namespace nibble::cli
