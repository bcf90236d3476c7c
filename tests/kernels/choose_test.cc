#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "nibble/error.h"

namespace nibble {
namespace {

struct RestoreChoice {
  ~RestoreChoice() { select_kernels("auto"); }
};

std::vector<std::string> runnable() {
  std::vector<std::string> names;
  for (const char* const* name = runnable_kernels(); *name != nullptr; ++name)
    names.emplace_back(*name);
  return names;
}

TEST(Choose, EveryRunnableTableCanBeChosen) {
  const RestoreChoice restore;
  for (const std::string& name : runnable()) {
    select_kernels(name.c_str());
    EXPECT_EQ(kernels().name, name);
  }
}

TEST(Choose, ScalarRunsEverywhereAndAutoTakesTheLast) {
  const RestoreChoice restore;
  EXPECT_EQ(runnable().front(), "scalar");
  select_kernels("scalar");
  select_kernels("auto");
  EXPECT_EQ(kernels().name, runnable().back());
}

TEST(Choose, AnUnknownNameIsRefusedWithTheKnownOnes) {
  const std::string before = kernels().name;
  try {
    select_kernels("avx1024");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("scalar"), std::string::npos);
  }
  EXPECT_EQ(kernels().name, before);
}

TEST(Choose, AnInstructionSetOfAnotherProcessorIsKnownButCannotRun) {
  const std::string before = kernels().name;
  const std::vector<std::string> here = runnable();
  const bool has_neon = std::find(here.begin(), here.end(), "neon") != here.end();
  const std::string other = has_neon ? "avx2" : "neon";
  try {
    select_kernels(other.c_str());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
    EXPECT_EQ(std::string(error.what()), "this CPU cannot run the " + other + " kernels");
  }
  EXPECT_EQ(kernels().name, before);
}

TEST(Choose, BfloatArithmeticIsOnlyClaimedWithAvx512) {
  const auto names = runnable();
  if (cpu_has_bfloat16()) {
    EXPECT_NE(std::find(names.begin(), names.end(), "avx512"), names.end());
  }
  EXPECT_FALSE(std::string(cpu_description()).empty());
}

}  // namespace
}  // namespace nibble
