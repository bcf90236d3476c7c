// Four-bit codes. Block of 32, 16 bytes: code i in the low nibble of byte i, code i + 16 in the
// high.
#include "formats/format.h"

namespace nibble::formats {
namespace {

void pack(const std::uint8_t* codes, std::uint8_t* block) {
  for (int i = 0; i < 16; ++i) block[i] = static_cast<std::uint8_t>(codes[i] | codes[i + 16] << 4);
}

void unpack(const std::uint8_t* block, std::uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = block[i] & 15;
    codes[i + 16] = block[i] >> 4;
  }
}

}  // namespace

extern const Format int4{
    .name = "int4", .bits = 4, .block_bytes = 16, .pack = pack, .unpack = unpack};

}  // namespace nibble::formats
