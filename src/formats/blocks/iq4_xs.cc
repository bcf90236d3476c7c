// IQ4_XS: IQ4_NL in 8 groups of 32, each with a 6-bit scale around 32.
//   block, 136 bytes:  scale float16 | scales' high bits uint16 | low bits uint8[4] | codes
//   uint8[128] group g: four low bits in a nibble, two high bits at 2g; its codes lie as in Q4_0
#include <cstring>

#include "formats/block_format.h"
#include "formats/blocks/fields.h"
#include "formats/blocks/packing.h"
#include "formats/blocks/super_block.h"
#include "formats/blocks/uneven_levels.h"

namespace nibble::block_formats {
namespace {

constexpr EvenLevels kSteps{-32, 31};

int step_of(const std::uint8_t* block, int group) {
  const int low = block[4 + group / 2] >> (4 * (group % 2)) & 15;
  return (low | (word_at(block + 2) >> (2 * group) & 3) << 4) - 32;
}

void decode(const std::uint8_t* block, std::size_t count, float* out) {
  for (std::size_t b = 0; b < count; ++b, block += 136, out += 256) {
    const float scale = half_at(block);
    for (int group = 0; group < 8; ++group) {
      const float step = scale * static_cast<float>(step_of(block, group));
      const std::uint8_t* codes = block + 8 + 16 * group;
      for (int i = 0; i < 32; ++i)
        out[32 * group + i] = step * kUnevenLevels[codes[i % 16] >> (i < 16 ? 0 : 4) & 15];
    }
  }
}

void read_scales(const std::uint8_t* block, float* scales, float* zeros) {
  for (int g = 0; g < 8; ++g) {
    scales[g] = divisor(half_at(block) * static_cast<float>(step_of(block, g)));
    zeros[g] = 0;
  }
}

void put_codes(const int* codes, std::uint8_t* block) {
  for (int g = 0; g < 8; ++g) put_nibbles(codes + 32 * g, 16, block + 8 + 16 * g);
}

void encode(const float* weights, const float* importance, std::size_t count, std::uint8_t* block) {
  for_each_super_scale(weights, importance, count, 32, UnevenLevels{}, kSteps,
                       [&](const SuperScale& super, const int* codes) {
                         unsigned high = 0;
                         std::memset(block + 4, 0, 4);
                         for (int g = 0; g < 8; ++g) {
                           const int step = super.steps[static_cast<std::size_t>(g)] + 32;
                           block[4 + g / 2] |=
                               static_cast<std::uint8_t>((step & 15) << (4 * (g % 2)));
                           high |= static_cast<unsigned>(step >> 4) << (2 * g);
                         }
                         put_codes(codes, block);
                         put_half(block, super.scale);
                         put_word(block + 2, high);
                         block += 136;
                       });
}

}  // namespace

extern const BlockFormat iq4_xs{.name = "IQ4_XS",
                                .ggml_type = 23,
                                .block = 256,
                                .block_bytes = 136,
                                .decode = decode,
                                .encode = encode,
                                .grid = "iq4",
                                .group = 32,
                                .read_scales = read_scales,
                                .put_codes = put_codes,
                                .file_type = 30};

}  // namespace nibble::block_formats
