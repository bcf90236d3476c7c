#include "quantize/layer/trial.h"

#include <gtest/gtest.h>

#include "quantize/layer/rounder.h"

namespace nibble {
namespace {

double seconds_of(std::string_view name, std::string_view grid, std::size_t group) {
  const Method& method = methods::named(name);
  Options options(method.options);
  decide_symmetry(grids::named(grid), {}, options);
  return trial_seconds(method, grids::named(grid), group, {}, options);
}

TEST(Trial, CountsMoreForAMethodThatDoesMore) {
  const double rounding = seconds_of("rtn", "int4", 128),
               feedback = seconds_of("gptq", "int4", 128);
  EXPECT_GT(rounding, 0);
  // Several times as much; the clock may be off by a factor on a busy machine.
  EXPECT_GT(feedback, rounding);
}

TEST(Trial, TakesGroupsOfAnySize) {
  for (const std::size_t group : {16u, 96u, 512u, 4096u}) {
    const double seconds = seconds_of("rtn", "int4", group);
    EXPECT_GT(seconds, 0) << group;
    EXPECT_LT(seconds, 1e-3) << group;  // of one weight
  }
}

}  // namespace
}  // namespace nibble
