// Writes an adapter as PEFT reads it.
#pragma once

#include <filesystem>
#include <string>

#include "model/adapter/adapter.h"

namespace nibble {

struct AdapterFacts {
  std::string base_model;  // what PEFT loads it onto
  double alpha = 0;
  bool rank_stabilized = false;
};

// adapter_config.json and adapter_model.safetensors in an existing folder. All layers have one
// rank.
void write_adapter(const std::filesystem::path& folder, const Adapter& adapter,
                   const AdapterFacts& facts);

}  // namespace nibble
