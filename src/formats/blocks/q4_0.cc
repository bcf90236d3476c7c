// Q4_0: 32 codes around 8 and one scale.
//   block, 18 bytes:  scale float16 | codes uint8[16];  weight = scale · (code − 8)
//   weight i is the low nibble of codes[i], weight i + 16 the high one
#include "formats/block_format.h"
#include "formats/blocks/fields.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 18, out += 32) {
    const float scale = half_at(block);
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * static_cast<float>((block[2 + i] & 15) - 8);
      out[i + 16] = scale * static_cast<float>((block[2 + i] >> 4) - 8);
    }
  }
}

}  // namespace

extern const BlockFormat q4_0{
    .name = "Q4_0", .ggml_type = 2, .block = 32, .block_bytes = 18, .decode = decode};

}  // namespace nibble::block_formats
