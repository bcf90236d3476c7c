// How GGUF stores one weight matrix: fixed-size blocks along each row, with their scales inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "nibble/dtype.h"

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

  // The same blocks as codes of a grid, for methods that choose every code themselves. Groups of
  // `group` weights share a scale, and a zero of their own with `free_zeros`, else the middle.
  std::string_view grid;  // empty: of none, encode alone chooses them by a fixed rule
  std::size_t group = 0;
  bool free_zeros = false;
  // [block / group] each: weight = scale · (code − zero), or scale · codebook[code]; no scale is 0.
  void (*read_scales)(const std::uint8_t* block, float* scales, float* zeros) = nullptr;
  // Scales that each stand alone, but not as a float16 at the block's beginning: their type, and
  // how they are put, [block / group], beside the codes that are there.
  DType scale_type = DType::kF16;
  void (*put_scales)(const float* scales, std::uint8_t* block) = nullptr;
  // Of blocks of one group whose weights are step · code + minimum: how those two are put, float16
  // numbers each, beside the codes that are there.
  void (*put_line)(float step, float minimum, std::uint8_t* block) = nullptr;
  // codes [block], beside the scales that are there.
  void (*put_codes)(const int* codes, std::uint8_t* block) = nullptr;
  std::uint32_t file_type = 0;  // general.file_type of a file that is mostly of this

  // Scales that do not each stand alone: only encode finds them. Without put_scales a block is
  // otherwise one group, and begins with its scale.
  bool joint() const { return put_scales == nullptr && (group != block || free_zeros); }

  std::size_t row_bytes(std::size_t columns) const { return columns / block * block_bytes; }
};

namespace block_formats {
// In the order of list.def.
std::span<const BlockFormat* const> all();
const BlockFormat* with_type(std::uint32_t ggml_type);  // null when unknown
}  // namespace block_formats

}  // namespace nibble
