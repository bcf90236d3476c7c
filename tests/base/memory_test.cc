// What the process uses and may use.
#include "base/memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace nibble {
namespace {

TEST(MemoryUse, GrowsWithWhatIsTouched) {
  const MemoryUse before = memory_use();
  const std::vector<char> block(64u << 20, 1);
  const MemoryUse after = memory_use();
  EXPECT_EQ(block.back(), 1);
  EXPECT_GE(after.anonymous, before.anonymous + (48u << 20));
  EXPECT_GE(after.peak_resident, after.resident / 2);
  EXPECT_GE(after.resident, after.anonymous);
}

TEST(AvailableMemory, IsAPlausibleNumberOfBytes) {
  EXPECT_GT(available_memory(), 1u << 20);
  EXPECT_LT(available_memory(), 1ull << 50);
}

TEST(CpuSeconds, GrowsWithWork) {
  const double before = cpu_seconds();
  volatile double sum = 0;
  for (int i = 0; i < 20'000'000; ++i) sum = sum + i;
  EXPECT_GT(cpu_seconds(), before);
}

}  // namespace
}  // namespace nibble
