// The modules of HQQ checkpoints.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "checkpoint/layout.h"

namespace nibble::layouts {

inline constexpr std::string_view kHqqCodes = ".W_q";

// Truth values, a byte each, that such a module has besides its numbers.
inline constexpr std::array<std::string_view, 9> kHqqFlags = {
    "view_as_float", "quant_scale",  "quant_zero",         "channel_wise",       "optimize",
    "round_zero",    "offload_meta", "encoded_state_dict", "stores_quant_config"};

// How many codes share an element, of how many bytes, and what the library calls that.
struct HqqPacking {
  std::size_t fields, bytes;
  std::string_view name;
};
inline HqqPacking hqq_packing(int bits) {
  if (bits == 3) return {10, 4, "3bit_32"};  // two bits stay empty
  if (bits == 4) return {2, 1, "4bit_u8"};
  if (bits == 2) return {4, 1, "2bit_u8"};
  return {1, 1, "8bit_u8"};
}

// Layout::consumers.
std::vector<Finding> hqq_consumers(std::span<const ShapedModule> modules,
                                   const LayoutSettings& settings);
// Layout::open and Layout::check.
std::unique_ptr<StoredModules> open_hqq(const CheckpointReader& reader, const Json& config);
std::vector<Finding> check_hqq(const CheckpointReader& reader, const Json& config);

}  // namespace nibble::layouts
