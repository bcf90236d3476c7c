// Small safetensors files made by hand, valid and not.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "nibble/checkpoint.h"

namespace nibble::test {

// A file with this header text and as many data bytes.
inline std::string with_header(std::string_view header, std::size_t data_bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, sizeof(length));
  return file + std::string(header) + std::string(data_bytes, 'x');
}

constexpr std::string_view kValidHeader =
    R"({"__metadata__":{"format":"pt","note":"é"},)"
    R"("b.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("a.bias":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
    R"("empty":{"dtype":"I32","shape":[0,7],"data_offsets":[32,32]},)"
    R"("scalar":{"dtype":"I64","shape":[],"data_offsets":[32,40]},)"
    R"("codes":{"dtype":"F4","shape":[6],"data_offsets":[40,43]}}  )";
constexpr std::size_t kValidData = 43;

inline std::string valid_file() { return with_header(kValidHeader, kValidData); }

inline std::vector<std::byte> counted_bytes(std::size_t count, int first) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<std::byte>((first + static_cast<int>(i)) & 0xFF);
  return bytes;
}

// Writes `tensors` F32 tensors "t0", "t1", … of [2, 4] numbers as a sharded folder.
inline void write_folder(const fs::path& folder, int tensors, std::uint64_t max_shard_bytes) {
  std::vector<TensorInfo> infos;
  for (int i = 0; i < tensors; ++i)
    infos.push_back({"t" + std::to_string(i), DType::kF32, {2, 4}, 32});
  const auto writer = create_checkpoint(folder, infos, {.max_shard_bytes = max_shard_bytes});
  for (int i = tensors - 1; i >= 0; --i) writer->add("t" + std::to_string(i), counted_bytes(32, i));
  writer->finish();
}

}  // namespace nibble::test
