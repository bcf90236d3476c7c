// Eight-bit codes, one a byte.
#include <cstring>

#include "formats/format.h"

namespace nibble::formats {
namespace {

void pack(const std::uint8_t* codes, std::uint8_t* block) { std::memcpy(block, codes, 32); }
void unpack(const std::uint8_t* block, std::uint8_t* codes) { std::memcpy(codes, block, 32); }

}  // namespace

extern const Format int8{
    .name = "int8", .bits = 8, .block_bytes = 32, .pack = pack, .unpack = unpack};

}  // namespace nibble::formats
