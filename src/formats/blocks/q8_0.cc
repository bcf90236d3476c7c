// Q8_0: 32 signed codes and one scale.
//   block, 34 bytes:  scale float16 | codes int8[32];  weight = scale · code
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {
namespace {

constexpr EvenLevels kLevels{-128, 127};

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 34, out += 32) {
    const float scale = half_at(block);
    for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(signed_at(block + 2 + i));
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = half_at(block);
  *zeros = 128;
}

void put_codes(const int* codes, std::uint8_t* block) {
  for (int i = 0; i < 32; ++i) block[2 + i] = static_cast<std::uint8_t>(codes[i] - 128);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_scale(weights, importance, count, kLevels, [&](float scale, const int* codes) {
    put_half(block, scale);
    put_codes(codes, block);
    block += 34;
  });
}

}  // namespace

extern const BlockFormat q8_0{.name = "Q8_0",
                              .ggml_type = 8,
                              .block = 32,
                              .block_bytes = 34,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int8",
                              .group = 32,
                              .read_scales = read_scales,
                              .put_codes = put_codes,
                              .file_type = 7};

}  // namespace nibble::block_formats
