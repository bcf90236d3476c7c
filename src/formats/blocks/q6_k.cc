// Q6_K: 256 codes of 6 bits around 32 in 16 groups of 16, each group with a signed 8-bit scale.
//   block, 210 bytes:  low bits uint8[128] | high bits uint8[64] | groups int8[16] | scale float16
//   of the 128 weights of half h, number 32k + l has its low four bits in the low (k < 2) or high
//   nibble of low[64h + 32(k % 2) + l] and its high two in bits 2k, 2k + 1 of high[32h + l]
#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/super_block.h"

namespace nibble::block_formats {
namespace {

constexpr EvenLevels kLevels{-32, 31}, kSteps{-128, 127};

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

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  for (int g = 0; g < 16; ++g) {
    scales[g] = divisor(half_at(block + 208) * static_cast<float>(signed_at(block + 192 + g)));
    zeros[g] = 32;
  }
}

void put_codes(const int* codes, std::uint8_t* block) {
  for (int half = 0; half < 2; ++half) put_nibbles(codes + 128 * half, 64, block + 64 * half);
  put_pairs_of_bits(codes, 4, block + 128);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_super_scale(weights, importance, count, 16, kLevels, kSteps,
                       [&](const SuperScale& super, const int* codes) {
                         put_codes(codes, block);
                         for (int g = 0; g < 16; ++g)
                           block[192 + g] =
                               static_cast<std::uint8_t>(super.steps[static_cast<std::size_t>(g)]);
                         put_half(block + 208, super.scale);
                         block += 210;
                       });
}

}  // namespace

extern const BlockFormat q6_k{.name = "Q6_K",
                              .ggml_type = 14,
                              .block = 256,
                              .block_bytes = 210,
                              .decode = decode,
                              .encode = encode,
                              .grid = "int6",
                              .group = 16,
                              .read_scales = read_scales,
                              .put_codes = put_codes,
                              .file_type = 18};

}  // namespace nibble::block_formats
