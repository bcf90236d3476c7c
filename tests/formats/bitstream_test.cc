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

template <int Bits>
void expect_fours() {
  Random random(Bits);
  std::array<std::uint8_t, 32> codes;
  for (auto& code : codes) code = static_cast<std::uint8_t>(random.below(1u << Bits));
  std::array<std::uint32_t, Bits> words{};
  pack_32(codes.data(), Bits, words);
  for (int step = 0; step < 8; ++step) {
    const auto four = four_codes<Bits>(words.data(), step);
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(four >> (8 * i) & 255, codes[static_cast<std::size_t>(4 * step + i)])
          << Bits << " " << step;
  }
}

TEST(Bitstream, UnpacksWhatItPacked) {
  expect_fours<1>();
  expect_fours<2>();
  expect_fours<3>();
  expect_fours<4>();
  expect_fours<5>();
  expect_fours<6>();
  expect_fours<7>();
  expect_fours<8>();
}

}  // namespace
}  // namespace nibble
