// IQ4_NL: 32 codes that stand for uneven levels, and one scale.
//   block, 18 bytes:  scale float16 | codes uint8[16];  weight = scale · level[code]
//   the nibbles lie as in Q4_0
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/scale_search.h"
#include "formats/blocks/uneven_levels.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 18, out += 32) {
    const float scale = half_at(block);
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * kUnevenLevels[block[2 + i] & 15];
      out[i + 16] = scale * kUnevenLevels[block[2 + i] >> 4];
    }
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = half_at(block);
  *zeros = 0;
}

void put_codes(const int* codes, std::uint8_t* block) { put_nibbles(codes, 16, block + 2); }

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_scale(weights, importance, count, UnevenLevels{}, [&](float scale, const int* codes) {
    put_half(block, scale);
    put_codes(codes, block);
    block += 18;
  });
}

}  // namespace

extern const BlockFormat iq4_nl{.name = "IQ4_NL",
                                .ggml_type = 20,
                                .block = 32,
                                .block_bytes = 18,
                                .decode = decode,
                                .encode = encode,
                                .grid = "iq4",
                                .group = 32,
                                .read_scales = read_scales,
                                .put_codes = put_codes,
                                .file_type = 25};

}  // namespace nibble::block_formats
