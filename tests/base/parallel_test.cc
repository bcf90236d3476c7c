// Loops over tiles: each tile once, errors reach the caller, any number of threads and callers.
#include "base/parallel.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "nibble/error.h"
#include "support/error_text.h"

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

TEST_P(Parallel, ALoopInsideATileRunsWholeOnTheThreadOfTheTile) {
  std::array<std::atomic<int>, 40> runs = {};
  parallel_for(8, [&](std::size_t outer) {
    const auto here = std::this_thread::get_id();
    parallel_for(5, [&](std::size_t inner) {
      EXPECT_EQ(std::this_thread::get_id(), here);
      ++runs[outer * 5 + inner];
    });
  });
  for (const auto& count : runs) EXPECT_EQ(count, 1);
}

TEST_P(Parallel, AnErrorOfALoopInsideATileReachesTheCallerOfTheOuterLoop) {
  EXPECT_THROW(parallel_for(8,
                            [](std::size_t) {
                              parallel_for(4, [](std::size_t) {
                                throw Error(ErrorKind::kNumeric, "inside");
                              });
                            }),
               Error);
  std::atomic<int> runs = 0;
  parallel_for(8, [&](std::size_t) { ++runs; });
  EXPECT_EQ(runs, 8);
}

TEST_P(Parallel, LoopsOfSeveralCallersTakeTurns) {
  constexpr std::size_t kTiles = 64;
  std::array<std::vector<std::size_t>, 4> results;
  std::vector<std::thread> callers;
  for (auto& result : results)
    callers.emplace_back([&result] {
      for (int round = 0; round < 200; ++round) {
        std::vector<std::size_t> tiles(kTiles);  // no atomics: a tile belongs to one thread
        parallel_for(kTiles, [&](std::size_t i) { tiles[i] = i; });
        result.push_back(std::accumulate(tiles.begin(), tiles.end(), std::size_t{0}));
      }
    });
  for (std::thread& caller : callers) caller.join();
  for (const auto& result : results)
    EXPECT_EQ(result, std::vector<std::size_t>(200, kTiles * (kTiles - 1) / 2));
}

TEST_P(Parallel, AnErrorReachesTheCallerWhoseLoopItBelongsTo) {
  std::atomic<int> caught = 0, whole = 0;
  const auto call = [&](bool fails) {
    for (int round = 0; round < 100; ++round) {
      try {
        parallel_for(16, [&](std::size_t i) {
          if (fails && i == 3) throw Error(ErrorKind::kNumeric, "three");
        });
        ++whole;
      } catch (const Error&) {
        ++caught;
      }
    }
  };
  std::thread failing(call, true), fine(call, false);
  failing.join();
  fine.join();
  EXPECT_EQ(caught, 100);
  EXPECT_EQ(whole, 100);
}

TEST_P(Parallel, TheNumberOfThreadsMayChangeWhileOthersCall) {
  std::atomic<bool> done = false;
  std::thread caller([&] {
    for (int round = 0; round < 200; ++round) {
      std::atomic<int> runs = 0;
      parallel_for(16, [&](std::size_t) { ++runs; });
      EXPECT_EQ(runs, 16);
    }
    done = true;
  });
  while (!done) {
    set_threads(2);
    set_threads(GetParam());
  }
  caller.join();
}

TEST(ParallelThreads, CannotBeSetInsideALoop) {
  set_threads(2);
  const std::string text =
      test::error_text([] { parallel_for(4, [](std::size_t) { set_threads(3); }); });
  EXPECT_NE(text.find("inside a parallel loop"), text.npos) << text;
  EXPECT_NE(text.find("fix:"), text.npos) << text;
  EXPECT_EQ(threads(), 2);
  set_threads(0);
}

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 3, 8),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace nibble
