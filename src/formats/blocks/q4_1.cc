// Q4_1: 32 codes from 0, one scale and one minimum.
//   block, 20 bytes:  scale float16 | minimum float16 | codes uint8[16]
//   weight = scale · code + minimum; the nibbles lie as in Q4_0
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 20, out += 32) {
    const float scale = half_at(block), minimum = half_at(block + 2);
    const std::uint8_t* codes = block + 4;
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * static_cast<float>(codes[i] & 15) + minimum;
      out[i + 16] = scale * static_cast<float>(codes[i] >> 4) + minimum;
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

void put_codes(const int* codes, std::uint8_t* block) { put_nibbles(codes, 16, block + 4); }

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_line(weights, importance, count, 15, [&](float scale, float minimum, const int* codes) {
    put_line(scale, minimum, block);
    put_codes(codes, block);
    block += 20;
  });
}

}  // namespace

extern const BlockFormat q4_1{.name = "Q4_1",
                              .ggml_type = 3,
                              .block = 32,
                              .block_bytes = 20,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int4",
                              .group = 32,
                              .free_zeros = true,
                              .read_scales = read_scales,
                              .put_line = put_line,
                              .put_codes = put_codes,
                              .file_type = 3};

}  // namespace nibble::block_formats
