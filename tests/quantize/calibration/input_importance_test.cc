// An imatrix as it comes back: the squares that a job would measure for itself, in both forms.
#include "quantize/calibration/input_importance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/random.h"
#include "model/source.h"
#include "quantize/calibration/calibrate.h"
#include "quantize/calibration/imatrix.h"
#include "quantize/calibration/input_statistics.h"
#include "quantize/layer/rounder.h"
#include "quantize/method.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "support/token_windows.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

std::string int32(std::int32_t value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

std::string entry(const std::string& name, std::int32_t calls, const std::vector<float>& sums) {
  std::string values(sums.size() * sizeof(float), '\0');
  std::memcpy(values.data(), sums.data(), values.size());
  return int32(static_cast<std::int32_t>(name.size())) + name + int32(calls) +
         int32(static_cast<std::int32_t>(sums.size())) + values;
}

// rtn fits its scales under the diagonal of the products, which an imatrix is.
TEST(InputImportance, IsTheDiagonalOfWhatCalibrationMeasures) {
  const TempDir dir;
  ImatrixOptions small;
  small.calibration = test::token_windows_in(dir);
  write_imatrix(kDemo, dir / "im.gguf", small, {}, {});
  CalibrateOptions large;
  large.calibration = test::token_windows_in(dir);
  calibrate_model(kDemo, dir / "s.gguf", large, {}, {});
  const InputImportance importance(dir / "im.gguf"), beside(dir / "s.gguf");
  const InputStatistics statistics(dir / "s.gguf");
  EXPECT_EQ(importance.description(), "windows.json (3)");
  EXPECT_NE(importance.hash(), beside.hash());

  const ModelSource source(kDemo);
  const Method& rtn = methods::named("rtn");
  const Block block = source.block(1);
  for (const Role role : {Role::kQuery, Role::kDown}) {
    const Linear& linear = block.linear(role);
    const Stage stage = role == Role::kQuery ? Stage::kAttentionIn : Stage::kMlpOut;
    const auto means = importance.of(matrix_name(1, role), linear.inputs());
    EXPECT_EQ(means, beside.of(matrix_name(1, role), linear.inputs()));
    const Tensor products = statistics.products(1, stage, linear.inputs());
    ASSERT_EQ(means.size(), linear.inputs());
    for (std::size_t c = 0; c < means.size(); ++c)
      ASSERT_NEAR(means[c] / products.view()(c, c), 1, 1e-5) << c;

    Tensor weight(linear.outputs(), linear.inputs());
    linear.decode(0, weight.view());
    Task task;
    task.weight = weight.view();
    task.grid = &grids::named("int3");
    task.group_size = 64;
    task.options = Options(rtn.options);
    decide_symmetry(*task.grid, task.storable, task.options);
    const Outcome alike = rtn.quantize(task);
    task.hessian = products.view();
    const Outcome measured = rtn.quantize(task);
    task.hessian = {};
    task.importance = means;
    const Outcome told = rtn.quantize(task);
    EXPECT_NE(told.codes.codes, alike.codes.codes);
    // Sums in another order may decide between two scales that are as good.
    std::size_t others = 0;
    for (std::size_t i = 0; i < told.codes.codes.size(); ++i)
      others += told.codes.codes[i] != measured.codes.codes[i] ? 1 : 0;
    EXPECT_LT(others * 1000, told.codes.codes.size());
  }
}

TEST(InputImportance, IsReadFromTheOlderFormToo) {
  const TempDir dir;
  const std::string file = int32(3) + entry("blk.0.attn_qkv.weight", 2, {2, 4, 6}) +
                           entry("blk.0.ffn_up.weight", 4, {4, 4}) +
                           entry("blk.0.ffn_down.weight", 0, {0, 0}) + int32(7) + int32(5) +
                           "x.txt";
  write_file(dir / "old.dat", file);
  const InputImportance importance(dir / "old.dat");
  EXPECT_EQ(importance.of("blk.0.attn_qkv.weight", 3), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(importance.of("blk.0.ffn_up.weight", 2), (std::vector<float>{1, 1}));
  EXPECT_EQ(importance.description(), "x.txt");
  // Parts of what that file has as one matrix, and what no token reached.
  EXPECT_EQ(importance.of("blk.0.attn_k.weight", 3), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(importance.of("blk.0.ffn_gate.weight", 2), (std::vector<float>{1, 1}));
  EXPECT_TRUE(importance.of("blk.0.ffn_down.weight", 2).empty());
  EXPECT_TRUE(importance.of("blk.1.attn_q.weight", 3).empty());
  EXPECT_NE(test::error_text([&] {
              importance.of("blk.0.attn_q.weight", 4);
            }).find("has 3 inputs there and 4 here"),
            std::string::npos);
}

TEST(InputImportance, RefusesWhatIsNone) {
  const TempDir dir;
  const auto kind = [&](const std::string& bytes) {
    write_file(dir / "some.dat", bytes);
    return test::error_kind([&] { InputImportance importance(dir / "some.dat"); });
  };
  EXPECT_EQ(test::error_kind([&] { InputImportance importance(dir / "nowhere"); }),
            ErrorKind::kNotFound);
  EXPECT_EQ(kind(""), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind("Once upon a time there was a text."), ErrorKind::kInvalidArgument);
  const std::string good = int32(1) + entry("blk.0.ffn_up.weight", 1, {1, 2});
  EXPECT_EQ(kind(good), std::nullopt);
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_EQ(kind(good.substr(0, length)), ErrorKind::kInvalidArgument) << length;
  EXPECT_EQ(kind(int32(1) + entry("blk.0.ffn_up.weight", 1, {1, -2})), ErrorKind::kCorruptFile);
  EXPECT_EQ(kind(int32(1) + entry("blk.0.ffn_up.weight", 1, {NAN, 2})), ErrorKind::kCorruptFile);
}

// Bits that flip in a file without sums.
TEST(InputImportance, RefusesNumbersThatNoInputsHave) {
  const TempDir dir;
  const auto text = [&](std::int32_t calls, const std::vector<float>& sums) {
    write_file(dir / "some.dat", int32(1) + entry("blk.0.ffn_up.weight", calls, sums));
    return test::error_text([&] { InputImportance importance(dir / "some.dat"); });
  };
  EXPECT_EQ(text(3, {1, 2e5F}), "");
  EXPECT_NE(text(3, {1, 2e36F}).find("no inputs are so large"), std::string::npos);
  EXPECT_NE(text(0, {1, 2}).find("a count of 0 tokens"), std::string::npos);
  EXPECT_NE(text(3, {0, 0}).find("nothing but sums of 0"), std::string::npos);
  EXPECT_NE(text(3, {0, 0}).find("blk.0.ffn_up.weight"), std::string::npos);
}

TEST(InputImportance, TellsOfHolesInAFileWithoutSums) {
  const TempDir dir;
  std::vector<float> sums(100, 1);
  const auto note = [&] {
    write_file(dir / "some.dat", int32(1) + entry("blk.0.ffn_up.weight", 2, sums));
    return InputImportance(dir / "some.dat").note();
  };
  EXPECT_EQ(note(), "");
  std::fill(sums.begin() + 10, sums.begin() + 50, 0.0F);
  EXPECT_NE(note().find("blk.0.ffn_up.weight has 40 of its 100 inputs in a row"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
