// Two-bit codes. Block of 32, 8 bytes: byte i holds codes i, i + 8, i + 16, i + 24, lowest bits
// first.
#include "formats/format.h"

namespace nibble::formats {
namespace {

void pack(const std::uint8_t* codes, std::uint8_t* block) {
  for (int i = 0; i < 8; ++i)
    block[i] = static_cast<std::uint8_t>(codes[i] | codes[i + 8] << 2 | codes[i + 16] << 4 |
                                         codes[i + 24] << 6);
}

void unpack(const std::uint8_t* block, std::uint8_t* codes) {
  for (int i = 0; i < 32; ++i) codes[i] = block[i % 8] >> (2 * (i / 8)) & 3;
}

}  // namespace

extern const Format int2{
    .name = "int2", .bits = 2, .block_bytes = 8, .pack = pack, .unpack = unpack};

}  // namespace nibble::formats
