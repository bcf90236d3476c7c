#include "base/background.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/parallel.h"
#include "nibble/error.h"

namespace nibble {
namespace {

class BackgroundTest : public testing::Test {
 protected:
  ~BackgroundTest() override { set_threads(0); }
};

TEST_F(BackgroundTest, TheValueIsThereWhenItIsAskedFor) {
  for (const int count : {1, 2}) {
    set_threads(count);
    Background<int> value([](std::stop_token) { return 7; });
    EXPECT_EQ(value.get(), 7);
    EXPECT_EQ(value.get(), 7);
  }
}

TEST_F(BackgroundTest, ErrorsComeOutWhereTheValueIsAskedFor) {
  Background<int> value(
      [](std::stop_token) -> int { throw Error(ErrorKind::kInvalidArgument, "no value"); });
  EXPECT_THROW(value.get(), Error);
}

TEST_F(BackgroundTest, ItRunsBesideOtherWork) {
  set_threads(2);
  std::atomic<bool> asked{false};
  Background<bool> value([&](std::stop_token) {
    while (!asked) std::this_thread::yield();
    return true;
  });
  asked = true;
  EXPECT_TRUE(value.get());
}

// The test would not end otherwise.
TEST_F(BackgroundTest, WhatIsNoLongerWantedStops) {
  set_threads(2);
  const Background<int> value([](std::stop_token token) {
    while (!token.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 0;
  });
}

}  // namespace
}  // namespace nibble
