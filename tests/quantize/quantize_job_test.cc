// The contract's quantize(): the same work as the command's, told in the caller's words.
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/sha256.h"
#include "nibble/error.h"
#include "nibble/quantize.h"
#include "quantize/quantize.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

QuantizeJob small_job() {
  QuantizeJob job;
  job.samples = 4;
  job.length = 32;
  return job;
}

TEST(QuantizeJob, WritesWhatTheSameOptionsWrite) {
  const test::TempDir folder;
  quantize(kDemo, folder / "job", small_job());
  QuantizeOptions options;
  options.calibration.samples = 4;
  options.calibration.length = 32;
  quantize_model(kDemo, folder / "options", options, {}, false);
  for (const auto& entry : fs::directory_iterator(folder / "options"))
    EXPECT_EQ(sha256_of_file(folder.path() / "job" / entry.path().filename()),
              sha256_of_file(entry.path()))
        << entry.path().filename();
}

TEST(QuantizeJob, TellsWhatEachModuleLost) {
  const test::TempDir folder;
  QuantizeJob job = small_job();
  job.rules = {{.pattern = "down_proj", .method = "rtn", .grid = "int8"}};
  std::size_t told = 0;
  job.module_done = [&](const QuantizedModule&, std::size_t done, std::size_t) { told = done; };
  const QuantizeOutcome made = quantize(kDemo, folder / "out", job);
  ASSERT_EQ(made.modules.size(), 6u * 7u);
  EXPECT_EQ(told, made.modules.size());
  EXPECT_GT(made.input_bytes, made.output_bytes);
  for (const QuantizedModule& module : made.modules) {
    const bool down = module.name.find("down_proj") != std::string::npos;
    EXPECT_EQ(module.grid, down ? "int8" : "int4") << module.name;
    EXPECT_EQ(module.method, down ? "rtn" : "gptq") << module.name;
    EXPECT_GT(module.weight_error, 0) << module.name;
    EXPECT_LT(module.weight_error, 1) << module.name;
  }
}

TEST(QuantizeJob, WritesNothingWhenItIsOnlyTried) {
  const test::TempDir folder;
  QuantizeJob job = small_job();
  job.dry_run = true;
  const QuantizeOutcome planned = quantize(kDemo, folder / "out", job);
  EXPECT_FALSE(fs::exists(folder / "out"));
  EXPECT_TRUE(planned.modules.empty());
  EXPECT_GT(planned.bits_per_weight, 4);
}

TEST(QuantizeJob, RefusesNamesThatAreNotKnown) {
  const test::TempDir folder;
  QuantizeJob method = small_job(), grid = small_job(), rule = small_job(), setting = small_job();
  method.method = "gptp";
  grid.grid = "int9";
  rule.rules = {{.pattern = "down_proj", .grid = "int9"}};
  setting.settings = {{"dampin", "1"}};
  for (const QuantizeJob& job : {method, grid, rule, setting}) {
    EXPECT_EQ(test::error_kind([&] { quantize(kDemo, folder / "out", job); }),
              ErrorKind::kInvalidArgument);
    EXPECT_FALSE(fs::exists(folder / "out"));
  }
}

}  // namespace
}  // namespace nibble
