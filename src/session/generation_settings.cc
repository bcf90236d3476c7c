#include "session/generation_settings.h"

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
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

// Keeps `value` where the key is absent.
void read_number(const Json& config, const char* key, double low, double high, double& value) {
  value = json_number(config, key, value);
  if (!(value >= low && value <= high))
    throw Error(ErrorKind::kCorruptFile,
                cat("\"", key, "\" is ", value, "; expected ", low, " to ", high));
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
    read_number(config, "temperature", 0, 100, settings.temperature);
    settings.top_k = static_cast<int>(json_int(config, "top_k", settings.top_k, 0, 1 << 24));
    read_number(config, "top_p", 0, 1, settings.top_p);
    read_number(config, "min_p", 0, 1, settings.min_p);
    read_number(config, "repetition_penalty", 0.01, 100, settings.repeat_penalty);
    settings.stop = stop_ids(config);
    if (!json_bool(config, "do_sample", true)) settings.temperature = 0;
  });
  return settings;
}

SamplerOptions sampler_options(const GenerationSettings& settings, std::size_t context,
                               std::uint64_t seed) {
  SamplerOptions sampler;
  sampler.temperature = static_cast<float>(settings.temperature);
  sampler.top_k = static_cast<std::size_t>(settings.top_k);
  sampler.top_p = static_cast<float>(settings.top_p);
  sampler.min_p = static_cast<float>(settings.min_p);
  sampler.repeat_penalty = static_cast<float>(settings.repeat_penalty);
  sampler.presence_penalty = static_cast<float>(settings.presence_penalty);
  sampler.frequency_penalty = static_cast<float>(settings.frequency_penalty);
  sampler.repeat_last =
      settings.repeat_last < 0 ? context : static_cast<std::size_t>(settings.repeat_last);
  sampler.seed = seed;
  return sampler;
}

Json json_of(const GenerationSettings& settings) {
  return {{"temp", settings.temperature},
          {"top_k", settings.top_k},
          {"top_p", settings.top_p},
          {"min_p", settings.min_p},
          {"repeat_penalty", settings.repeat_penalty},
          {"presence_penalty", settings.presence_penalty},
          {"frequency_penalty", settings.frequency_penalty},
          {"repeat_last", settings.repeat_last}};
}

}  // namespace nibble
