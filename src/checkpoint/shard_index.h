// model.safetensors.index.json: which shard holds which tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nibble {

struct ShardIndex {
  static constexpr std::uint64_t kMaxBytes = 256u << 20;
  static constexpr std::size_t kMaxTensors = 1'048'576;
  static constexpr std::size_t kMaxShards = 16'384;

  std::vector<std::string> shards;                             // bare file names, in order of use
  std::vector<std::pair<std::string, std::uint32_t>> tensors;  // name, shard; sorted by name
  std::optional<std::uint64_t> total_size;                     // as claimed
};

// Throws kCorruptFile: bad JSON, a tensor given twice, a shard that is not a bare file name.
ShardIndex parse_shard_index(std::string_view text);

}  // namespace nibble
