// Three-bit codes. Block of 32, 12 bytes: the low two bits as in int2, then 4 bytes with the high
// bit of code i in bit i.
#include "formats/format.h"

namespace nibble::formats {
namespace {

void pack(const std::uint8_t* codes, std::uint8_t* block) {
  for (int i = 0; i < 12; ++i) block[i] = 0;
  for (int i = 0; i < 32; ++i) {
    block[i % 8] = static_cast<std::uint8_t>(block[i % 8] | (codes[i] & 3) << (2 * (i / 8)));
    block[8 + i / 8] = static_cast<std::uint8_t>(block[8 + i / 8] | (codes[i] >> 2) << (i % 8));
  }
}

void unpack(const std::uint8_t* block, std::uint8_t* codes) {
  for (int i = 0; i < 32; ++i) {
    const int low = block[i % 8] >> (2 * (i / 8)) & 3;
    const int high = block[8 + i / 8] >> (i % 8) & 1;
    codes[i] = static_cast<std::uint8_t>(low | high << 2);
  }
}

}  // namespace

extern const Format int3{
    .name = "int3", .bits = 3, .block_bytes = 12, .pack = pack, .unpack = unpack};

}  // namespace nibble::formats
