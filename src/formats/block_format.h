// How GGUF stores one weight matrix: fixed-size blocks along each row, with their scales inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nibble {

struct BlockFormat {
  std::string_view name;        // as GGUF tools print it: "Q4_K"
  std::uint32_t ggml_type = 0;  // the number in the file
  std::size_t block = 0;        // weights in a block; divides every row
  std::size_t block_bytes = 0;
  // count blocks -> count · block floats. The definition of the format; any alignment.
  void (*decode)(const std::uint8_t* blocks, std::size_t count, float* weights) = nullptr;
  // weights [count · block] -> count blocks that lose little: a search for scales, the same bytes
  // on every call. `importance` weighs each weight's squared error; null: all count the same.
  // Finite input only.
  void (*encode)(const float* weights, const float* importance, std::size_t count,
                 std::uint8_t* blocks) = nullptr;

  std::size_t row_bytes(std::size_t columns) const { return columns / block * block_bytes; }
};

namespace block_formats {
// In the order of list.def.
std::span<const BlockFormat* const> all();
const BlockFormat* with_type(std::uint32_t ggml_type);  // null when unknown
}  // namespace block_formats

}  // namespace nibble
