// Loops over tiles: each tile once, errors reach the caller, any number of threads.
#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "nibble/error.h"

namespace nibble {
namespace {

class Parallel : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_threads(GetParam()); }
  void TearDown() override { set_threads(0); }
};

TEST_P(Parallel, EachTileRunsOnce) {
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(round % 37));
    parallel_for(runs.size(), [&](std::size_t i) { ++runs[i]; });
    for (const auto& count : runs) ASSERT_EQ(count, 1);
  }
}

TEST_P(Parallel, SleepersWakeUp) {
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // longer than helpers look around
    std::atomic<std::size_t> sum = 0;
    parallel_for(100, [&](std::size_t i) { sum += i; });
    ASSERT_EQ(sum, 4950u);
  }
}

TEST_P(Parallel, TheFirstErrorReachesTheCaller) {
  for (int round = 0; round < 50; ++round) {
    EXPECT_THROW(parallel_for(64,
                              [](std::size_t i) {
                                if (i == 13) throw Error(ErrorKind::kNumeric, "thirteen");
                              }),
                 Error);
    std::atomic<int> runs = 0;
    parallel_for(8, [&](std::size_t) { ++runs; });
    ASSERT_EQ(runs, 8);  // the pool goes on after an error
  }
}

TEST_P(Parallel, RangesCoverEverythingWithoutOverlap) {
  std::vector<std::atomic<int>> touched(1003);
  parallel_ranges(touched.size(), 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) ++touched[i];
  });
  for (const auto& count : touched) ASSERT_EQ(count, 1);
}

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace nibble
