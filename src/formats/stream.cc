#include "formats/stream.h"

#include <array>
#include <cstring>
#include <utility>

#include "formats/bitstream.h"

namespace nibble::formats {
namespace {

// Block of 32, 4 · Bits bytes: little-endian words as formats/bitstream.h fills them.
template <int Bits>
void pack(const std::uint8_t* codes, std::uint8_t* block) {
  std::uint32_t words[Bits];
  pack_32(codes, Bits, words);
  std::memcpy(block, words, sizeof(words));
}

template <int Bits>
void unpack(const std::uint8_t* block, std::uint8_t* codes) {
  std::uint32_t words[Bits + 1] = {};  // four_codes may look one word ahead
  std::memcpy(words, block, Bits * sizeof(std::uint32_t));
  for (int step = 0; step < 8; ++step) {
    const std::uint32_t four = four_codes<Bits>(words, step);
    std::memcpy(codes + 4 * step, &four, 4);
  }
}

constexpr std::array<std::string_view, 8> kNames = {"bits1", "bits2", "bits3", "bits4",
                                                    "bits5", "bits6", "bits7", "bits8"};

template <std::size_t... Index>
std::array<Format, sizeof...(Index)> make_streams(std::index_sequence<Index...>) {
  return {Format{.name = kNames[Index],
                 .bits = static_cast<int>(Index) + 1,
                 .block_bytes = 4 * (Index + 1),
                 .pack = pack<static_cast<int>(Index) + 1>,
                 .unpack = unpack<static_cast<int>(Index) + 1>}...};
}

}  // namespace

const Format* stream_of(int bits) {
  static const auto streams = make_streams(std::make_index_sequence<8>());
  return bits >= 1 && bits <= 8 ? &streams[static_cast<std::size_t>(bits - 1)] : nullptr;
}

}  // namespace nibble::formats
