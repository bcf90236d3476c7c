// Q3_K: 256 codes of 3 bits around 4 in 16 groups of 16, each group with a 6-bit scale around 32.
//   block, 110 bytes:  high bits uint8[32] | low bits uint8[64] | group scales uint8[12] |
//                      scale float16
//   low bits lie as in Q2_K; weight i's high bit is bit i / 32 of high[i % 32]
//   group g's scale: low nibble of byte g (g < 8) or high nibble of byte g − 8, then two bits of
//   byte 8 + g % 4
#include <cstring>

#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/super_block.h"

namespace nibble::block_formats {
namespace {

constexpr EvenLevels kLevels{-4, 3}, kSteps{-32, 31};

int step_of(const std::uint8_t* block, int group) {
  const std::uint8_t* groups = block + 96;
  const int low = groups[group % 8] >> (group < 8 ? 0 : 4) & 15;
  const int high = groups[8 + group % 4] >> (2 * (group / 4)) & 3;
  return (low | high << 4) - 32;
}

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 110, out += 256) {
    const float scale = half_at(block + 108);
    for (int i = 0; i < 256; ++i) {
      const int step = step_of(block, i / 16);
      const int code = (block[32 + 32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4)) & 3) |
                       (block[i % 32] >> (i / 32) & 1) << 2;
      out[i] = scale * static_cast<float>(step) * static_cast<float>(code - 4);
    }
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  for (int g = 0; g < 16; ++g) {
    scales[g] = divisor(half_at(block + 108) * static_cast<float>(step_of(block, g)));
    zeros[g] = 4;
  }
}

void put_codes(const int* codes, std::uint8_t* block) {
  put_single_bits(codes, 2, block);
  put_pairs_of_bits(codes, 0, block + 32);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_super_scale(
      weights, importance, count, 16, kLevels, kSteps,
      [&](const SuperScale& super, const int* codes) {
        put_codes(codes, block);
        std::uint8_t* groups = block + 96;
        std::memset(groups, 0, 12);
        for (int g = 0; g < 16; ++g) {
          const int step = super.steps[static_cast<std::size_t>(g)] + 32;
          groups[g % 8] |= static_cast<std::uint8_t>((step & 15) << (g < 8 ? 0 : 4));
          groups[8 + g % 4] |= static_cast<std::uint8_t>(step >> 4 << (2 * (g / 4)));
        }
        put_half(block + 108, super.scale);
        block += 110;
      });
}

}  // namespace

extern const BlockFormat q3_k{.name = "Q3_K",
                              .ggml_type = 11,
                              .block = 256,
                              .block_bytes = 110,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int3",
                              .group = 16,
                              .read_scales = read_scales,
                              .put_codes = put_codes,
                              .file_type = 11};

}  // namespace nibble::block_formats
