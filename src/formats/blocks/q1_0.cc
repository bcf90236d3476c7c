// Q1_0: 128 signs and one scale, the mean magnitude.
//   block, 18 bytes:  scale float16 | signs uint8[16];  weight = scale where bit i % 8 of byte i /
//   8 is set, else −scale
#include <cmath>
#include <cstring>

#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 18, out += 128) {
    const float scale = half_at(block);
    for (int i = 0; i < 128; ++i) out[i] = (block[2 + i / 8] >> (i % 8) & 1) != 0 ? scale : -scale;
  }
}

void encode(const float* weights, const float*, std::size_t count, std::uint8_t* block) {
  for (std::size_t b = 0; b < count; ++b, block += 18, weights += 128) {
    float sum = 0;
    std::memset(block + 2, 0, 16);
    for (int i = 0; i < 128; ++i) {
      sum += std::fabs(weights[i]);
      block[2 + i / 8] |= static_cast<std::uint8_t>((weights[i] >= 0 ? 1 : 0) << (i % 8));
    }
    put_half(block, stored(sum / 128));
  }
}

}  // namespace

extern const BlockFormat q1_0{.name = "Q1_0",
                              .ggml_type = 41,
                              .block = 128,
                              .block_bytes = 18,
                              .decode = decode,
                              .encode = encode,
                              .grid = {},  // no method chooses its codes
                              .file_type = 40};

}  // namespace nibble::block_formats
