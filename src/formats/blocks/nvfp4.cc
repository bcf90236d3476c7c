// NVFP4: 64 4-bit floats in four groups of 16, each with a scale that is an 8-bit float without
// sign.
//   block, 36 bytes:  scales uint8[4] | codes uint8[32];  weight = scale · float4[code]
//   a scale has 4 exponent bits, bias 7, and 3 mantissa bits; its top bit does not count, 0x7F is 0
//   codes of a group: byte j holds weight j low, j + 8 high
#include <algorithm>
#include <bit>

#include "formats/block_format.h"
#include "formats/blocks/float4.h"
#include "formats/blocks/packing.h"
#include "formats/float8.h"

namespace nibble::block_formats {
namespace {

// Half of it, since the table is doubled.
float half_scale(std::uint8_t bits) {
  const auto size = static_cast<std::uint8_t>(bits & 0x7F);
  return is_float8_nan(size) ? 0 : float8_to_float(size) / 2;
}

// Half a step is rounded up; above 256 only the largest is taken, as other programs have it.
std::uint8_t scale_bits(float scale) {
  if (!(scale > 0)) return 0;
  scale = std::min(scale, 448.0f);
  const auto bits = std::bit_cast<std::uint32_t>(scale);
  const int exponent = static_cast<int>(bits >> 23) - 127 + 7;
  if (exponent <= 0)
    return static_cast<std::uint8_t>(std::min(7, static_cast<int>(scale * 512 + 0.5f)));
  const int rounded =
      (exponent << 3 | static_cast<int>(bits >> 20 & 7)) + static_cast<int>(bits >> 19 & 1);
  return static_cast<std::uint8_t>(rounded >= 15 << 3 ? 0x7E : rounded);
}

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 36, out += 64)
    for (int g = 0; g < 4; ++g) {
      const float scale = half_scale(block[g]);
      const std::uint8_t* codes = block + 4 + 8 * g;
      for (int i = 0; i < 8; ++i) {
        out[16 * g + i] = scale * kFloat4[codes[i] & 15];
        out[16 * g + i + 8] = scale * kFloat4[codes[i] >> 4];
      }
    }
}

void encode(const float* weights, const float*, std::size_t count, std::uint8_t* block) {
  for (std::size_t b = 0; b < count; ++b, block += 36)
    for (int g = 0; g < 4; ++g, weights += 16) {
      float largest = 0;
      for (int i = 0; i < 16; ++i) largest = std::max(largest, std::fabs(weights[i]));
      block[g] = scale_bits(largest / 6);
      const float scale = half_scale(block[g]);
      int codes[16];
      for (int i = 0; i < 16; ++i) codes[i] = float4_code(weights[i], scale);
      put_nibbles(codes, 8, block + 4 + 8 * g);
    }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  for (int g = 0; g < 4; ++g) {
    scales[g] = 2 * half_scale(block[g]);
    zeros[g] = 0;
  }
}

void put_scales(const float* scales, std::uint8_t* block) {
  for (int g = 0; g < 4; ++g) block[g] = float_to_float8(scales[g]);
}

void put_codes(const int* codes, std::uint8_t* block) {
  int stored[16];
  for (int g = 0; g < 4; ++g) {
    std::transform(codes + 16 * g, codes + 16 * (g + 1), stored, float4_of_rising);
    put_nibbles(stored, 8, block + 4 + 8 * g);
  }
}

}  // namespace

extern const BlockFormat nvfp4{.name = "NVFP4",
                               .ggml_type = 40,
                               .block = 64,
                               .block_bytes = 36,
                               .decode = decode,
                               .encode = encode,
                               .grid = "nvfp4",
                               .group = 16,
                               .read_scales = read_scales,
                               .scale_type = DType::kF8E4M3,
                               .put_scales = put_scales,
                               .put_codes = put_codes,
                               .file_type = 39};

}  // namespace nibble::block_formats
