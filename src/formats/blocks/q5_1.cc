// Q5_1: 32 codes from 0, one scale and one minimum.
//   block, 24 bytes:  scale float16 | minimum float16 | fifth bits uint32 | low bits uint8[16]
//   weight = scale · code + minimum; the bits lie as in Q5_0
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 24, out += 32) {
    const float scale = half_at(block), minimum = half_at(block + 2);
    const std::uint32_t fifth = double_word_at(block + 4);
    for (int i = 0; i < 32; ++i) {
      const unsigned low = block[8 + i % 16] >> (i < 16 ? 0 : 4) & 15;
      out[i] = scale * static_cast<float>(low | (fifth >> i & 1) << 4) + minimum;
    }
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  set_line(half_at(block), half_at(block + 2), *scales, *zeros);
}

void put_line(float step, float minimum, std::uint8_t* block) {
  put_half(block, step);
  put_half(block + 2, minimum);
}

void put_codes(const int* codes, std::uint8_t* block) {
  put_double_word(block + 4, fifth_bits(codes));
  put_nibbles(codes, 16, block + 8);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_line(weights, importance, count, 31, [&](float scale, float minimum, const int* codes) {
    put_line(scale, minimum, block);
    put_codes(codes, block);
    block += 24;
  });
}

}  // namespace

extern const BlockFormat q5_1{.name = "Q5_1",
                              .ggml_type = 7,
                              .block = 32,
                              .block_bytes = 24,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int5",
                              .group = 32,
                              .free_zeros = true,
                              .read_scales = read_scales,
                              .put_line = put_line,
                              .put_codes = put_codes,
                              .file_type = 9};

}  // namespace nibble::block_formats
