// Q4_1: 32 codes from 0, one scale and one minimum.
//   block, 20 bytes:  scale float16 | minimum float16 | codes uint8[16]
//   weight = scale · code + minimum; the nibbles lie as in Q4_0
#include "formats/block_format.h"
#include "formats/blocks/fields.h"

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

}  // namespace

extern const BlockFormat q4_1{
    .name = "Q4_1", .ggml_type = 3, .block = 32, .block_bytes = 20, .decode = decode};

}  // namespace nibble::block_formats
