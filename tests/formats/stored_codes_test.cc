// Codes read a panel at a time are the codes that are stored.
#include "formats/stored_codes.h"

#include <gtest/gtest.h>

#include "support/memory_codes.h"

namespace nibble {
namespace {

using test::MemoryCodes;

TEST(StoredCodes, AreReadAsTheyAre) {
  test::for_all_kinds_of_codes([](const Codes& codes) {
    const Codes read = codes_of(MemoryCodes(codes));
    EXPECT_EQ(read.codes, codes.codes);
    EXPECT_EQ(read.scales, codes.scales);
    EXPECT_EQ(read.zeros, codes.zeros);
    EXPECT_EQ(read.group_index, codes.group_index);
    EXPECT_EQ(read.group_size, codes.group_size);
  });
}

TEST(StoredCodes, DecodeFromAnyRowOn) {
  test::for_all_kinds_of_codes([](const Codes& codes) {
    const MemoryCodes stored(codes);
    for (const std::size_t first : {0u, 5u, 16u, 30u}) {
      Tensor expected(codes.rows - first, codes.columns), found(expected.rows(), codes.columns);
      decode_rows(codes, first, expected.view());
      decode_rows(stored, first, found.view());
      for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_EQ(found.data()[i], expected.data()[i]) << first << " " << i;
    }
  });
}

}  // namespace
}  // namespace nibble
