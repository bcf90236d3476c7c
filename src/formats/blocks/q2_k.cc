// Q2_K: 256 codes of 2 bits in 16 groups of 16, each group with a 4-bit scale and a 4-bit minimum.
//   block, 84 bytes:  groups uint8[16] | codes uint8[64] | scale float16 | minimum float16
//   group byte: low nibble · scale is the step, high nibble · minimum is taken away
//   weight 128h + 32k + l is bits 2k, 2k + 1 of codes[32h + l]
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/super_block.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 84, out += 256) {
    const float scale = half_at(block + 80), minimum = half_at(block + 82);
    for (int i = 0; i < 256; ++i) {
      const std::uint8_t group = block[i / 16];
      const int code = block[16 + 32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4)) & 3;
      out[i] = scale * static_cast<float>(group & 15) * static_cast<float>(code) -
               minimum * static_cast<float>(group >> 4);
    }
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  const float scale = half_at(block + 80), minimum = half_at(block + 82);
  for (int g = 0; g < 16; ++g)
    set_line(scale * static_cast<float>(block[g] & 15),
             -minimum * static_cast<float>(block[g] >> 4), scales[g], zeros[g]);
}

void put_codes(const int* codes, std::uint8_t* block) { put_pairs_of_bits(codes, 0, block + 16); }

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_super_line(
      weights, importance, count, 16, 3, 15, [&](const SuperLine& super, const int* codes) {
        for (int g = 0; g < 16; ++g)
          block[g] = static_cast<std::uint8_t>(super.steps[static_cast<std::size_t>(g)] |
                                               super.shifts[static_cast<std::size_t>(g)] << 4);
        put_codes(codes, block);
        put_half(block + 80, super.scale);
        put_half(block + 82, super.minimum);
        block += 84;
      });
}

}  // namespace

extern const BlockFormat q2_k{.name = "Q2_K",
                              .ggml_type = 10,
                              .block = 256,
                              .block_bytes = 84,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int2",
                              .group = 16,
                              .free_zeros = true,
                              .read_scales = read_scales,
                              .put_codes = put_codes,
                              .file_type = 10};

}  // namespace nibble::block_formats
