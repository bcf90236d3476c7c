// quantization_config of torchao checkpoints: {"quant_type": {"default": {"_type", "_data"}}}.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/json.h"
#include "checkpoint/layout.h"

namespace nibble::layouts {

// The types of integer weights that are read; of the latter readers round the inputs, too.
inline constexpr std::array<std::string_view, 2> kTorchaoWeightOnly = {"Int8WeightOnlyConfig",
                                                                       "IntxWeightOnlyConfig"};
inline constexpr std::array<std::string_view, 2> kTorchaoRoundInputs = {
    "Int8DynamicActivationInt8WeightConfig", "Int8DynamicActivationIntxWeightConfig"};

struct TorchaoConfig {
  int bits = 8;
  bool rounds_inputs = false;
  std::optional<std::size_t> group;  // columns that share a scale, 0: a row; none: it is not told
};

// Throws kCorruptFile or kUnsupported naming the key.
TorchaoConfig read_torchao_config(const Json& config);

// Layout::config.
Json write_torchao_config(const LayoutSettings& settings);
// A value as torchao writes it: {"_type", "_data"}.
Json tagged(std::string_view type, Json data);

}  // namespace nibble::layouts
