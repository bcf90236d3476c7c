// Q2_0: 64 weights of two bits each and one scale.
//   block, 18 bytes:  scale float16 | codes uint8[16];  weight = scale · (code − 1)
//   weight i is bits 2 · (i % 4) of byte i / 4; twice the scale, code 3, is read and never written
#include "formats/block_format.h"
#include "formats/blocks/ternary.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 18, out += 64) {
    const float scale = half_at(block);
    for (int i = 0; i < 64; ++i)
      out[i] = scale * static_cast<float>((block[2 + i / 4] >> (2 * (i % 4)) & 3) - 1);
  }
}

void put_crumbs(const int* codes, std::uint8_t* bytes) {
  for (int i = 0; i < 16; ++i)
    bytes[i] = static_cast<std::uint8_t>(codes[4 * i] | codes[4 * i + 1] << 2 |
                                         codes[4 * i + 2] << 4 | codes[4 * i + 3] << 6);
}

void encode(const float* weights, const float*, std::size_t count, std::uint8_t* block) {
  for (std::size_t b = 0; b < count; ++b, block += 18, weights += 64) {
    int codes[64];
    put_half(block, ternary_codes(weights, 64, codes));
    put_crumbs(codes, block + 2);
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = half_at(block);
  *zeros = 2;
}

// Where blocks that begin with their scale have it; but encode follows a rule here, and finds none.
void put_scales(const float* scales, std::uint8_t* block) { put_half(block, *scales); }

void put_codes(const int* codes, std::uint8_t* block) {
  int stored[64];
  stored_ternary(codes, 64, stored);
  put_crumbs(stored, block + 2);
}

}  // namespace

extern const BlockFormat q2_0{.name = "Q2_0",
                              .ggml_type = 42,
                              .block = 64,
                              .block_bytes = 18,
                              .decode = decode,
                              .encode = encode,
                              .grid = "ternary",
                              .group = 64,
                              .read_scales = read_scales,
                              .put_scales = put_scales,
                              .put_codes = put_codes,
                              .file_type = 41};

}  // namespace nibble::block_formats
