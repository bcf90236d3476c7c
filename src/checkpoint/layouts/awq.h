// quantization_config of AWQ checkpoints and their modules.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/layout.h"

namespace nibble::layouts {

// Eight neighbouring outputs share a word; output 8w + k is its field kAwqField[k], of 4 bits.
inline constexpr std::array<int, 8> kAwqField = {0, 4, 1, 5, 2, 6, 3, 7};

inline constexpr std::string_view kAwqCodes = ".qweight";

struct AwqConfig {
  std::size_t group_size = 128;  // 0: the whole row
  bool symmetric = false;        // all zeros are 8
};
// Throws kCorruptFile or kUnsupported naming the key.
AwqConfig read_awq_config(const Json& config);

// Layout::open.
std::unique_ptr<StoredModules> open_awq(const CheckpointReader& reader, const Json& config);
// Layout::check and Layout::consumers.
std::vector<Finding> check_awq(const CheckpointReader& reader, const Json& config);
std::vector<Finding> awq_consumers(std::span<const ShapedModule> modules,
                                   const LayoutSettings& settings);

}  // namespace nibble::layouts
