// TQ2_0: 256 weights of three values, two bits each, and one scale.
//   block, 66 bytes:  codes uint8[64] | scale float16;  weight = scale · (code − 1)
//   the codes lie as in Q2_K; 3 is never written
#include "formats/block_format.h"
#include "formats/blocks/ternary.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 66, out += 256) {
    const float scale = half_at(block + 64);
    for (int i = 0; i < 256; ++i) {
      const int code = block[32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4)) & 3;
      out[i] = scale * static_cast<float>(code - 1);
    }
  }
}

void encode(const float* weights, const float*, std::size_t count, std::uint8_t* block) {
  for (std::size_t b = 0; b < count; ++b, block += 66, weights += 256) {
    int codes[256];
    put_half(block + 64, ternary_codes(weights, 256, codes));
    put_pairs_of_bits(codes, 0, block);
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = half_at(block + 64);
  *zeros = 2;
}

void put_scales(const float* scales, std::uint8_t* block) { put_half(block + 64, *scales); }

void put_codes(const int* codes, std::uint8_t* block) {
  int stored[256];
  stored_ternary(codes, 256, stored);
  put_pairs_of_bits(stored, 0, block);
}

}  // namespace

extern const BlockFormat tq2_0{.name = "TQ2_0",
                               .ggml_type = 35,
                               .block = 256,
                               .block_bytes = 66,
                               .decode = decode,
                               .encode = encode,
                               .grid = "ternary",
                               .group = 256,
                               .read_scales = read_scales,
                               .put_scales = put_scales,
                               .put_codes = put_codes,
                               .file_type = 37};

}  // namespace nibble::block_formats
