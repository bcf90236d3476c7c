// MXFP4: 32 4-bit floats that share a power of two.
//   block, 17 bytes:  exponent uint8 | codes uint8[16];  weight = 2^(exponent − 127) · float4[code]
//   the nibbles lie as in Q4_0
#include <algorithm>
#include <bit>

#include "formats/block_format.h"
#include "formats/blocks/float4.h"
#include "formats/blocks/packing.h"

namespace nibble::block_formats {
namespace {

// Half of it, since the table is doubled.
float half_power(std::uint8_t exponent) {
  const std::uint32_t bits =
      exponent < 2 ? 0x00200000u << exponent : static_cast<std::uint32_t>(exponent - 1) << 23;
  return std::bit_cast<float>(bits);
}

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 17, out += 32) {
    const float scale = half_power(block[0]);
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * kFloat4[block[1 + i] & 15];
      out[i + 16] = scale * kFloat4[block[1 + i] >> 4];
    }
  }
}

// The largest weight gets the exponent of the largest code, 4, and may be cut to 6 / 8 of itself.
void encode(const float* weights, const float*, std::size_t count, std::uint8_t* block) {
  for (std::size_t b = 0; b < count; ++b, block += 17, weights += 32) {
    float largest = 0;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(weights[i]));
    const float exponent = largest > 0 ? std::floor(std::log2(largest)) - 2 + 127 : 0;
    block[0] = static_cast<std::uint8_t>(std::clamp(exponent, 0.0f, 254.0f));
    const float scale = half_power(block[0]);
    int codes[32];
    for (int i = 0; i < 32; ++i) codes[i] = float4_code(weights[i], scale);
    put_nibbles(codes, 16, block + 1);
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  *scales = 2 * half_power(block[0]);
  *zeros = 0;
}

void put_scales(const float* scales, std::uint8_t* block) {
  block[0] = static_cast<std::uint8_t>(std::ilogb(*scales) + 127);
}

void put_codes(const int* codes, std::uint8_t* block) {
  int stored[32];
  std::transform(codes, codes + 32, stored, float4_of_rising);
  put_nibbles(stored, 16, block + 1);
}

}  // namespace

extern const BlockFormat mxfp4{.name = "MXFP4",
                               .ggml_type = 39,
                               .block = 32,
                               .block_bytes = 17,
                               .decode = decode,
                               .encode = encode,
                               .grid = "mxfp4",
                               .group = 32,
                               .read_scales = read_scales,
                               .scale_type = DType::kF8E8M0,
                               .put_scales = put_scales,
                               .put_codes = put_codes,
                               .file_type = 38};

}  // namespace nibble::block_formats
