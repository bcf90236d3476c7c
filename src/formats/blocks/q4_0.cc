// Q4_0: 32 codes around 8 and one scale.
//   block, 18 bytes:  scale float16 | codes uint8[16];  weight = scale · (code − 8)
//   weight i is the low nibble of codes[i], weight i + 16 the high one
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {
namespace {

constexpr EvenLevels kLevels{-8, 7};

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 18, out += 32) {
    const float scale = half_at(block);
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * static_cast<float>((block[2 + i] & 15) - 8);
      out[i + 16] = scale * static_cast<float>((block[2 + i] >> 4) - 8);
    }
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = half_at(block);
  *zeros = 8;
}

void put_codes(const int* codes, std::uint8_t* block) { put_nibbles(codes, 16, block + 2); }

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_scale(weights, importance, count, kLevels, [&](float scale, const int* codes) {
    put_half(block, scale);
    put_codes(codes, block);
    block += 18;
  });
}

}  // namespace

extern const BlockFormat q4_0{.name = "Q4_0",
                              .ggml_type = 2,
                              .block = 32,
                              .block_bytes = 18,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int4",
                              .group = 32,
                              .read_scales = read_scales,
                              .put_codes = put_codes,
                              .file_type = 2};

}  // namespace nibble::block_formats
