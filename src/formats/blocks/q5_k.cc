// Q5_K: Q4_K with a fifth bit for each code.
//   block, 176 bytes:  scale float16 | minimum float16 | groups uint8[12] | fifth bits uint8[32] |
//                      low bits uint8[128]
//   weight = scale · group scale · code − minimum · group minimum
//   weight i of group g has its fifth bit in bit g of fifth[i]
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/six_bit_scales.h"
#include "formats/blocks/super_block.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 176, out += 256) {
    const float scale = half_at(block), minimum = half_at(block + 2);
    for (int group = 0; group < 8; ++group) {
      const GroupScale own = group_scale(block + 4, group);
      const float step = scale * static_cast<float>(own.scale);
      const float shift = minimum * static_cast<float>(own.minimum);
      for (int i = 0; i < 32; ++i) {
        const int low = block[48 + 32 * (group / 2) + i] >> (4 * (group % 2)) & 15;
        const int fifth = block[16 + i] >> group & 1;
        out[32 * group + i] = step * static_cast<float>(low | fifth << 4) - shift;
      }
    }
  }
}

void put_codes(const int* codes, std::uint8_t* block) {
  put_single_bits(codes, 4, block + 16);
  for (int pair = 0; pair < 4; ++pair) put_nibbles(codes + 64 * pair, 32, block + 48 + 32 * pair);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_super_line(weights, importance, count, 32, 31, 63,
                      [&](const SuperLine& super, const int* codes) {
                        put_half(block, super.scale);
                        put_half(block + 2, super.minimum);
                        put_group_scales(super.steps.data(), super.shifts.data(), block + 4);
                        put_codes(codes, block);
                        block += 176;
                      });
}

}  // namespace

extern const BlockFormat q5_k{.name = "Q5_K",
                              .ggml_type = 13,
                              .block = 256,
                              .block_bytes = 176,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int5",
                              .group = 32,
                              .free_zeros = true,
                              .read_scales = read_group_lines,
                              .put_codes = put_codes,
                              .file_type = 16};

}  // namespace nibble::block_formats
