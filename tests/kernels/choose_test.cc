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

std::vector<std::string> names_in(const char* const* list) {
  std::vector<std::string> names;
  for (; *list != nullptr; ++list) names.emplace_back(*list);
  return names;
}
std::vector<std::string> runnable() { return names_in(runnable_kernels()); }

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

TEST(Choose, EveryKnownNameRunsOrIsRefusedForTheCpuAndIsInTheListOfARefusal) {
  const RestoreChoice restore;
  const std::vector<std::string> here = runnable();
  std::string refusal;
  try {
    select_kernels("none");
  } catch (const Error& error) {
    refusal = error.what();
  }
  for (const std::string& name : names_in(known_kernels())) {
    EXPECT_NE(refusal.find(name), std::string::npos) << refusal;
    try {
      select_kernels(name.c_str());
      EXPECT_NE(std::find(here.begin(), here.end(), name), here.end()) << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUnsupported) << name;
      EXPECT_EQ(std::find(here.begin(), here.end(), name), here.end()) << name;
    }
  }
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
