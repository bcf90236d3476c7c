// Q5_0: 32 codes around 16 and one scale.
//   block, 22 bytes:  scale float16 | fifth bits uint32 | low bits uint8[16]
//   weight = scale · (code − 16); the nibbles lie as in Q4_0, bit i of the fifth bits is weight i's
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {
namespace {

constexpr EvenLevels kLevels{-16, 15};

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 22, out += 32) {
    const float scale = half_at(block);
    const std::uint32_t fifth = double_word_at(block + 2);
    const std::uint8_t* low = block + 6;
    for (int i = 0; i < 16; ++i) {
      const auto first = static_cast<int>((low[i] & 15u) | (fifth >> i & 1) << 4);
      const auto second = static_cast<int>((low[i] >> 4 & 15u) | (fifth >> (i + 16) & 1) << 4);
      out[i] = scale * static_cast<float>(first - 16);
      out[i + 16] = scale * static_cast<float>(second - 16);
    }
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = half_at(block);
  *zeros = 16;
}

void put_codes(const int* codes, std::uint8_t* block) {
  put_double_word(block + 2, fifth_bits(codes));
  put_nibbles(codes, 16, block + 6);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_scale(weights, importance, count, kLevels, [&](float scale, const int* codes) {
    put_half(block, scale);
    put_codes(codes, block);
    block += 22;
  });
}

}  // namespace

extern const BlockFormat q5_0{.name = "Q5_0",
                              .ggml_type = 6,
                              .block = 32,
                              .block_bytes = 22,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int5",
                              .group = 32,
                              .read_scales = read_scales,
                              .put_codes = put_codes,
                              .file_type = 8};

}  // namespace nibble::block_formats
