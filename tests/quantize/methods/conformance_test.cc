// Every method on every grid, and on one whose codes stand for four weights: what holds for all.
#include <gtest/gtest.h>

#include <cmath>

#include "base/parallel.h"
#include "quantize/sample_task.h"
#include "tensor/half.h"

namespace nibble {
namespace {

using test::output_loss;
using test::SampleTask;

// 64 vectors of four weights, spread by a fixed generator.
const Grid& vectors() {
  static const std::vector<float> codebook = [] {
    Random random(17);
    std::vector<float> values(64 * 4);
    for (float& value : values) value = static_cast<float>(random.normal());
    std::fill_n(values.begin(), 4, 0.0f);  // a matrix of zeros stays one
    return values;
  }();
  static const Grid grid{.name = "vectors4",
                         .summary = "for this test",
                         .bits = 6,
                         .dimension = 4,
                         .codebook = codebook};
  return grid;
}

struct Case {
  const Method* method;
  const Grid* grid;
};

std::string name_of(const Case& one) {
  return std::string(one.method->name) + "_" + std::string(one.grid->name);
}
void PrintTo(const Case& one, std::ostream* out) { *out << name_of(one); }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Method* method : methods::all()) {
    const auto add = [&](const Grid* grid) {
      const CodeShape shape = code_shape(8, 64, {grid, 16});
      if (method->refusal == nullptr ||
          method->refusal(shape, {}, Options(method->options)).empty())
        cases.push_back({method, grid});
    };
    for (const Grid* grid : grids::all()) add(grid);
    add(&vectors());
  }
  return cases;
}

TEST(Methods, TakeAllGridsThatAreThere) {
  for (const Method* method : methods::all())
    for (const Grid* grid : grids::all()) {
      const auto cases = all_cases();
      EXPECT_TRUE(
          std::any_of(cases.begin(), cases.end(),
                      [&](const Case& one) { return one.method == method && one.grid == grid; }))
          << method->name << " " << grid->name;
    }
}

class EveryMethod : public testing::TestWithParam<Case> {
 protected:
  SampleTask sample(bool float_scales = false) const {
    SampleTask sample(8, 64, 300, 4, "auto", 16);
    sample.task.grid = GetParam().grid;
    sample.task.storable.scale_type = float_scales ? DType::kF32 : DType::kF16;
    return sample;
  }
  Outcome run(SampleTask& sample) const { return sample.quantized(GetParam().method->name); }
};

TEST_P(EveryMethod, ChoosesCodesScalesAndZerosThatCanBeStored) {
  SampleTask task = sample();
  const Codes codes = run(task).codes;
  ASSERT_EQ(codes.grid, GetParam().grid);
  for (std::size_t r = 0; r < codes.rows; ++r) {
    for (std::size_t i = 0; i < codes.codes_per_row(); ++i)
      EXPECT_LT(codes.code(r, i), codes.grid->levels());
    for (std::size_t g = 0; g < codes.groups(); ++g) {
      const GroupParams params = codes.params(r, g);
      EXPECT_TRUE(std::isfinite(params.scale) && params.scale != 0);
      EXPECT_EQ(params.scale, half_to_float(float_to_half(params.scale)));
      EXPECT_EQ(params.zero, std::round(params.zero));
    }
  }
}

TEST_P(EveryMethod, LosesNoMoreThanPlainRounding) {
  SampleTask task = sample(), plain = sample();
  plain.settings["scales"] = "absmax";
  plain.settings["symmetry"] = "asymmetric";
  if (!GetParam().grid->free_zeros()) plain.settings.erase("symmetry");
  const Outcome outcome = run(task), rounded = plain.quantized("rtn");
  if (GetParam().method->needs == Needs::kHessian) {
    EXPECT_LE(output_loss(task.task, outcome.codes), output_loss(task.task, rounded.codes));
  } else {  // its own measure may be another than the squared error
    EXPECT_LE(outcome.weight_error, 1.3 * rounded.weight_error);
  }
}

TEST_P(EveryMethod, GivesTheSameCodesForAnyNumberOfThreads) {
  SampleTask task = sample();
  set_threads(1);
  const Outcome one = run(task);
  set_threads(2);
  const Outcome two = run(task);
  set_threads(0);
  EXPECT_EQ(one.codes.codes, two.codes.codes);
  EXPECT_EQ(one.codes.scales, two.codes.scales);
  EXPECT_EQ(one.codes.zeros, two.codes.zeros);
}

TEST_P(EveryMethod, HeedsScalesThatAreStoredTogether) {
  SampleTask task = sample(true);
  // A file with one scale for the whole matrix.
  task.task.storable.together = [](Codes& codes) {
    for (float& scale : codes.scales) scale = 0.0625f;
  };
  for (const float scale : run(task).codes.scales) EXPECT_EQ(scale, 0.0625f);
}

TEST_P(EveryMethod, KeepsAMatrixOfZeros) {
  SampleTask task = sample();
  task.weight.fill(0);
  const Codes codes = run(task).codes;
  Tensor decoded(codes.rows, codes.columns);
  decode_rows(codes, 0, decoded.view());
  // Some codebooks have no 0; their smallest scale in float16 is 2^-24.
  for (std::size_t i = 0; i < decoded.size(); ++i) ASSERT_NEAR(decoded.data()[i], 0, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Methods, EveryMethod, testing::ValuesIn(all_cases()),
                         [](const auto& one) { return name_of(one.param); });

TEST(Methods, DeclareOptionsWhoseInitialValuesAreAllowed) {
  for (const Method* method : methods::all()) {
    EXPECT_FALSE(method->summary.empty());
    for (const OptionSpec* spec : method->options) {
      EXPECT_FALSE(spec->help.empty()) << spec->name;
      Options options;
      EXPECT_NO_THROW(options.set(*spec, std::string(spec->initial)))
          << method->name << " " << spec->name;
    }
  }
}

TEST(Methods, FeedErrorsOnThroughVectorsOfWeights) {
  SampleTask sample(8, 64, 300, 4, "auto", 16);
  sample.task.grid = &vectors();
  const double plain = output_loss(sample.task, sample.quantized("rtn").codes);
  EXPECT_LT(output_loss(sample.task, sample.quantized("gptq").codes), 0.9 * plain);
}

TEST(Hqq, MovesZerosWhereTheFileHoldsAnyNumber) {
  SampleTask sample(8, 64, 300, 3, "auto", 32);
  sample.task.storable.integer_zeros = false;
  const Codes codes = sample.quantized("hqq").codes;
  std::size_t between = 0;
  for (const float zero : codes.zeros) between += zero != std::round(zero) ? 1 : 0;
  EXPECT_GT(between, codes.zeros.size() / 2);
}

TEST(Hqq, SparesTheBulkFromAnOutlier) {
  SampleTask sample(1, 64, 100, 4, "auto", 64);
  sample.weight.data()[5] = 6;
  sample.task.storable.integer_zeros = false;
  const auto bulk = [&](const Codes& codes) {
    Tensor decoded(1, 64);
    decode_rows(codes, 0, decoded.view());
    double sum = 0;
    for (std::size_t i = 0; i < 64; ++i)
      if (i != 5) sum += std::pow(std::fabs(decoded.data()[i] - sample.weight.data()[i]), 0.7);
    return sum;
  };
  sample.settings["hqq-rounds"] = "0";
  const double before = bulk(sample.quantized("hqq").codes);
  sample.settings["hqq-rounds"] = "20";
  EXPECT_LT(bulk(sample.quantized("hqq").codes), before);
}

}  // namespace
}  // namespace nibble
