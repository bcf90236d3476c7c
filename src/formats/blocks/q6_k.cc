// Q6_K: 256 codes of 6 bits around 32 in 16 groups of 16, each group with a signed 8-bit scale.
//   block, 210 bytes:  low bits uint8[128] | high bits uint8[64] | groups int8[16] | scale float16
//   of the 128 weights of half h, number 32k + l has its low four bits in the low (k < 2) or high
//   nibble of low[64h + 32(k % 2) + l] and its high two in bits 2k, 2k + 1 of high[32h + l]
#include "formats/block_format.h"
#include "formats/blocks/fields.h"

namespace nibble::block_formats {
namespace {

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 210, out += 256) {
    const float scale = half_at(block + 208);
    for (int i = 0; i < 256; ++i) {
      const int half = i / 128, k = i / 32 % 4, l = i % 32;
      const int low = block[64 * half + 32 * (k % 2) + l] >> (k < 2 ? 0 : 4) & 15;
      const int high = block[128 + 32 * half + l] >> (2 * k) & 3;
      out[i] = scale * static_cast<float>(signed_at(block + 192 + i / 16)) *
               static_cast<float>((low | high << 4) - 32);
    }
  }
}

}  // namespace

extern const BlockFormat q6_k{
    .name = "Q6_K", .ggml_type = 14, .block = 256, .block_bytes = 210, .decode = decode};

}  // namespace nibble::block_formats
