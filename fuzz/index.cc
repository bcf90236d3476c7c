// The index of a sharded checkpoint: every accepted shard is a bare file name.
#include <cstddef>
#include <cstdint>

#include "checkpoint/shard_index.h"
#include "nibble/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  try {
    const nibble::ShardIndex index =
        nibble::parse_shard_index({reinterpret_cast<const char*>(bytes), count});
    for (const std::string& shard : index.shards)
      if (shard.empty() || shard == ".." || shard.find('/') != std::string::npos) __builtin_trap();
    for (const auto& [name, shard] : index.tensors)
      if (shard >= index.shards.size()) __builtin_trap();
  } catch (const nibble::Error&) {
  }
  return 0;
}
