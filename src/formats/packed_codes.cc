#include "formats/packed_codes.h"

#include <cstring>

#include "base/check.h"

namespace nibble {
namespace {

constexpr std::size_t kStep = 4;  // codes in a word

}  // namespace

PackedCodes::PackedCodes(const Codes& codes)
    : StoredCodes(codes),
      halves_(codes.grid->bits <= 4),
      row_bytes_((codes.columns + kStep - 1) / kStep * (halves_ ? kStep / 2 : kStep)),
      bytes_(codes.rows * row_bytes_),
      scales_(codes.scales),
      zeros_(codes.zeros) {
  NIBBLE_ASSERT(codes.grid->bits <= 8 && codes.grid->dimension == 1);
  for (std::size_t r = 0; r < codes.rows; ++r) {
    const auto row = codes.row(r);
    std::uint8_t* out = bytes_.data() + r * row_bytes_;
    if (!halves_) {
      std::memcpy(out, row.data(), row.size());
      continue;
    }
    for (std::size_t c = 0; c < row.size(); ++c)
      out[c / 2] = static_cast<std::uint8_t>(out[c / 2] | row[c] << (c % 2 * 4));
  }
}

std::size_t PackedCodes::bytes() const {
  return bytes_.size() + (scales_.size() + zeros_.size()) * sizeof(float);
}

std::uint32_t PackedCodes::four_codes(std::size_t row, std::size_t step) const {
  const std::size_t size = halves_ ? kStep / 2 : kStep, at = step * size;
  if (row >= shape().rows || at >= row_bytes_) return 0;
  const std::uint8_t* from = bytes_.data() + row * row_bytes_ + at;
  if (!halves_) {
    std::uint32_t word;
    std::memcpy(&word, from, sizeof(word));
    return word;
  }
  const auto low = [](std::uint32_t byte) { return (byte & 0x0F) | (byte >> 4) << 8; };
  return low(from[0]) | low(from[1]) << 16;
}

void PackedCodes::read_codes(std::size_t first, std::size_t block, std::size_t count,
                             std::uint32_t* out) const {
  for (std::size_t step = 8 * block; step < 8 * (block + count); ++step)
    for (std::size_t lane = 0; lane < kRowsTogether; ++lane)
      *out++ = four_codes(first + lane, step);
}

void PackedCodes::read_scales(std::size_t first, float* scales, float* zeros) const {
  const std::size_t groups = shape().groups();
  for (std::size_t g = 0; g < groups; ++g)
    for (std::size_t lane = 0; lane < kRowsTogether; ++lane) {
      const bool there = first + lane < shape().rows;
      const std::size_t at = (first + lane) * groups + g;
      *scales++ = there ? scales_[at] : 0;
      *zeros++ = there ? zeros_[at] : 0;
    }
}

}  // namespace nibble
