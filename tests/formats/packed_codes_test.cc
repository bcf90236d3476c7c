#include "formats/packed_codes.h"

#include <gtest/gtest.h>

#include "support/memory_codes.h"

namespace nibble {
namespace {

TEST(PackedCodes, GiveBackWhatWasPutIn) {
  std::size_t cases = 0;
  test::for_all_kinds_of_codes([&](const Codes& codes) {
    const PackedCodes packed(codes);
    const Codes found = codes_of(packed);
    EXPECT_EQ(found.codes, codes.codes);
    EXPECT_EQ(found.scales, codes.scales);
    EXPECT_EQ(found.zeros, codes.zeros);
    EXPECT_EQ(found.group_index, codes.group_index);
    const std::size_t code_bytes = packed.bytes() - 8 * codes.scales.size();
    if (codes.grid->bits <= 4) {
      EXPECT_LE(code_bytes, codes.codes.size() / 2 + 2 * codes.rows);
    }
    ++cases;
  });
  EXPECT_GT(cases, 20u);
}

}  // namespace
}  // namespace nibble
