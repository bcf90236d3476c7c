// Codes in memory, read as those of a checkpoint are; and random ones to read.
#pragma once

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "formats/stored_codes.h"
#include "tensor/half.h"

namespace nibble::test {

class MemoryCodes final : public StoredCodes {
 public:
  explicit MemoryCodes(Codes codes) : StoredCodes(codes), codes_(std::move(codes)) {}
  std::size_t bytes() const override { return codes_.codes.size(); }

  void read_codes(std::size_t first, std::size_t block, std::size_t count,
                  std::uint32_t* out) const override {
    for (std::size_t step = 8 * block; step < 8 * (block + count); ++step)
      for (std::size_t lane = 0; lane < kRowsTogether; ++lane) {
        std::uint32_t word = 0xABABABAB;  // what does not exist may be anything
        for (std::size_t c = 4 * step; c < std::min(codes_.columns, 4 * step + 4); ++c) {
          const int shift = static_cast<int>(8 * (c % 4));
          const std::uint32_t code =
              first + lane < codes_.rows ? codes_.row(first + lane)[c] : 0xCD;
          word = (word & ~(0xFFu << shift)) | code << shift;
        }
        *out++ = word;
      }
  }
  void read_scales(std::size_t first, float* scales, float* zeros) const override {
    for (std::size_t g = 0; g < codes_.groups(); ++g)
      for (std::size_t lane = 0; lane < kRowsTogether; ++lane) {
        const std::size_t at = (first + lane) * codes_.groups() + g;
        *scales++ = first + lane < codes_.rows ? codes_.scales[at] : 0;
        *zeros++ = first + lane < codes_.rows ? codes_.zeros[at] : 0;
      }
  }

 private:
  Codes codes_;
};

// Scales that float16 holds; zeros in the middle, or anywhere.
inline Codes random_codes(std::size_t rows, std::size_t columns, int bits, std::size_t group_size,
                          bool symmetric) {
  Random random(static_cast<std::uint64_t>(bits) * 1000 + group_size);
  Codes codes = make_codes(grids::uniform(bits), rows, columns, group_size);
  const std::uint64_t levels = std::uint64_t{1} << bits;
  for (auto& code : codes.codes) code = static_cast<std::uint8_t>(random.below(levels));
  for (float& scale : codes.scales)
    scale = half_to_float(float_to_half(static_cast<float>(random.uniform() - 0.5)));
  for (float& zero : codes.zeros)
    zero = static_cast<float>(symmetric ? levels / 2 : random.below(levels));
  return codes;
}

// Which column is in which group, in no order; groups keep their sizes.
inline void scatter_groups(Codes& codes) {
  Random random(codes.columns);
  codes.group_index.resize(codes.columns);
  for (std::size_t c = 0; c < codes.columns; ++c)
    codes.group_index[c] = static_cast<std::int32_t>(c / codes.group_size);
  for (std::size_t c = codes.columns; c > 1; --c)
    std::swap(codes.group_index[c - 1], codes.group_index[random.below(c)]);
}

// Every width, with free zeros and without, in order, with ragged groups and scattered.
template <typename Check>
void for_all_kinds_of_codes(const Check& check) {
  for (const int bits : {2, 3, 4, 8})
    for (const bool symmetric : {true, false}) {
      check(random_codes(35, 256, bits, 64, symmetric));
      check(random_codes(48, 256, bits, 256, symmetric));
      check(random_codes(35, 301, bits, 100, symmetric));
      Codes scattered = random_codes(35, 300, bits, 32, symmetric);
      scatter_groups(scattered);
      check(scattered);
    }
}

}  // namespace nibble::test
