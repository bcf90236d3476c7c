#include "formats/block_codes.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/parallel.h"
#include "formats/blocks/packing.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 8;
constexpr std::size_t kLargestBlock = 256;

}  // namespace

void fit_blocks(const BlockFormat& format, ConstMatrix weight, std::span<const float> importance,
                Codes& codes) {
  const std::size_t blocks = weight.columns / format.block, groups = codes.groups();
  const std::size_t row_bytes = format.row_bytes(weight.columns);
  codes.stored_scales.resize(weight.rows * row_bytes);
  parallel_ranges(weight.rows, kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      std::uint8_t* row = codes.stored_scales.data() + r * row_bytes;
      format.encode(weight.row(r), importance.empty() ? nullptr : importance.data(), blocks, row);
      for (std::size_t b = 0; b < blocks; ++b) {
        const std::size_t group = r * groups + b * format.block / format.group;
        format.read_scales(row + b * format.block_bytes, codes.scales.data() + group,
                           codes.zeros.data() + group);
      }
    }
  });
}

std::vector<std::byte> blocks_of(const BlockFormat& format, const Codes& codes) {
  const std::size_t blocks = codes.columns / format.block;
  const std::size_t row_bytes = format.row_bytes(codes.columns);
  std::vector<std::byte> bytes(codes.rows * row_bytes);
  const std::size_t block_groups = format.block / format.group;
  NIBBLE_ASSERT(format.block <= kLargestBlock);
  if (format.joint()) {
    NIBBLE_ASSERT(codes.stored_scales.size() == bytes.size());
    std::memcpy(bytes.data(), codes.stored_scales.data(), bytes.size());
  }
  parallel_ranges(codes.rows, kRows, [&](std::size_t begin, std::size_t end) {
    std::array<int, kLargestBlock> own{};
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t b = 0; b < blocks; ++b) {
        auto* block =
            reinterpret_cast<std::uint8_t*>(bytes.data()) + r * row_bytes + b * format.block_bytes;
        for (std::size_t i = 0; i < format.block; ++i) own[i] = codes.code(r, b * format.block + i);
        const float* scales = codes.scales.data() + r * codes.groups() + b * block_groups;
        if (format.put_scales != nullptr)
          format.put_scales(scales, block);
        else if (!format.joint())
          block_formats::put_half(block, *scales);
        format.put_codes(own.data(), block);
      }
  });
  return bytes;
}

}  // namespace nibble
