// Q4_K: 256 codes of 4 bits in 8 groups of 32, each group with a 6-bit scale and a 6-bit minimum.
//   block, 144 bytes:  scale float16 | minimum float16 | groups uint8[12] | codes uint8[128]
//   weight = scale · group scale · code − minimum · group minimum
//   groups 2c and 2c + 1 are the low and the high nibbles of codes[32c … 32c + 31]
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/six_bit_scales.h"
#include "formats/blocks/super_block.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 144, out += 256) {
    const float scale = half_at(block), minimum = half_at(block + 2);
    for (int group = 0; group < 8; ++group) {
      const GroupScale own = group_scale(block + 4, group);
      const float step = scale * static_cast<float>(own.scale);
      const float shift = minimum * static_cast<float>(own.minimum);
      const std::uint8_t* codes = block + 16 + 32 * (group / 2);
      for (int i = 0; i < 32; ++i)
        out[32 * group + i] = step * static_cast<float>(codes[i] >> (4 * (group % 2)) & 15) - shift;
    }
  }
}

void put_codes(const int* codes, std::uint8_t* block) {
  for (int pair = 0; pair < 4; ++pair) put_nibbles(codes + 64 * pair, 32, block + 16 + 32 * pair);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_super_line(weights, importance, count, 32, 15, 63,
                      [&](const SuperLine& super, const int* codes) {
                        put_half(block, super.scale);
                        put_half(block + 2, super.minimum);
                        put_group_scales(super.steps.data(), super.shifts.data(), block + 4);
                        put_codes(codes, block);
                        block += 144;
                      });
}

}  // namespace

extern const BlockFormat q4_k{.name = "Q4_K",
                              .ggml_type = 12,
                              .block = 256,
                              .block_bytes = 144,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int4",
                              .group = 32,
                              .free_zeros = true,
                              .read_scales = read_group_lines,
                              .put_codes = put_codes,
                              .file_type = 14};

}  // namespace nibble::block_formats
