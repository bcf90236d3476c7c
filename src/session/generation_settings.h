// How text is sampled unless whoever asks says otherwise: generation_config.json, else our
// defaults.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/json.h"
#include "model/sampler.h"

namespace nibble {

struct GenerationSettings {
  double temperature = 0.8;  // 0: always the most likely token
  int top_k = 40;            // 0: all
  double top_p = 0.95;
  double min_p = 0.05;
  double repeat_penalty = 1.0;     // 1: none
  double presence_penalty = 0;     // 0: none
  double frequency_penalty = 0;    // 0: none
  std::int64_t repeat_last = 64;   // tokens the penalties look at; -1: all
  std::vector<std::int32_t> stop;  // ids that end the text
};

// From the folder's generation_config.json, which may be absent. Throws kCorruptFile.
GenerationSettings generation_settings(const std::filesystem::path& folder);

// `context`: of the model, what `repeat_last` of −1 means.
SamplerOptions sampler_options(const GenerationSettings& settings, std::size_t context,
                               std::uint64_t seed);

Json json_of(const GenerationSettings& settings);

}  // namespace nibble
