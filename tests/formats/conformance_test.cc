// Every format in the list: what it packs it unpacks.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "base/random.h"
#include "formats/format.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Block = std::array<std::uint8_t, kBlockCodes>;

class EveryFormat : public testing::TestWithParam<const Format*> {
 protected:
  Block round_trip(const Block& codes) const {
    std::vector<std::uint8_t> bytes(GetParam()->block_bytes);  // as long as promised, no longer
    GetParam()->pack(codes.data(), bytes.data());
    Block back{};
    GetParam()->unpack(bytes.data(), back.data());
    return back;
  }
  int levels() const { return 1 << GetParam()->bits; }
};

TEST_P(EveryFormat, WastesNoBit) {
  EXPECT_EQ(GetParam()->block_bytes * 8, kBlockCodes * static_cast<std::size_t>(GetParam()->bits));
}

TEST_P(EveryFormat, KeepsEveryCodeInEveryPlace) {
  for (int code = 0; code < levels(); ++code)
    for (std::size_t place = 0; place < kBlockCodes; ++place) {
      Block codes{};
      codes[place] = static_cast<std::uint8_t>(code);
      EXPECT_EQ(round_trip(codes), codes);
    }
}

TEST_P(EveryFormat, KeepsRandomBlocks) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    Block codes;
    for (auto& code : codes)
      code = static_cast<std::uint8_t>(random.below(static_cast<std::uint64_t>(levels())));
    EXPECT_EQ(round_trip(codes), codes);
  }
}

TEST_P(EveryFormat, IsFoundByItsWidth) {
  EXPECT_EQ(&formats::with_bits(GetParam()->bits), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat,
                         testing::ValuesIn(formats::all().begin(), formats::all().end()),
                         [](const auto& one) { return std::string(one.param->name); });

TEST(Formats, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Format* format : formats::all()) EXPECT_TRUE(names.insert(format->name).second);
}

TEST(Formats, AWidthThatNobodyStoresIsRefused) {
  for (const int bits : {-1, 0, 9, 16}) {
    try {
      formats::with_bits(bits);
      FAIL() << bits << " accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    }
  }
}

}  // namespace
}  // namespace nibble
