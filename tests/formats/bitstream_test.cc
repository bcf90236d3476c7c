#include "formats/bitstream.h"

#include <gtest/gtest.h>

#include <array>

#include "base/random.h"

namespace nibble {
namespace {

TEST(Bitstream, CodeKStartsAtBitKTimesBits) {
  for (int bits = 1; bits <= 8; ++bits)
    for (int k = 0; k < 32; ++k) {
      std::array<std::uint8_t, 32> codes{};
      codes[static_cast<std::size_t>(k)] = 1;
      std::array<std::uint32_t, 8> words{};
      pack_32(codes.data(), bits, std::span(words).first(static_cast<std::size_t>(bits)));
      for (int bit = 0; bit < 32 * bits; ++bit)
        EXPECT_EQ(words[static_cast<std::size_t>(bit / 32)] >> bit % 32 & 1, bit == k * bits);
    }
}

TEST(Bitstream, UnpacksWhatItPacked) {
  Random random(1);
  for (int bits = 1; bits <= 8; ++bits) {
    std::array<std::uint8_t, 32> codes, back{};
    for (auto& code : codes) code = static_cast<std::uint8_t>(random.below(1u << bits));
    std::array<std::uint32_t, 8> words{};
    const auto used = std::span(words).first(static_cast<std::size_t>(bits));
    pack_32(codes.data(), bits, used);
    unpack_32(used, bits, back.data());
    EXPECT_EQ(back, codes);
  }
}

}  // namespace
}  // namespace nibble
