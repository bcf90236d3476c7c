// A layer around another one keeps what it adds, alone and in joined loops, whatever it stands on.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "kernels/kernels.h"
#include "nn/joint_forward.h"
#include "nn/kinds_of_layers.h"
#include "nn/panels/row_ranges.h"

namespace nibble {
namespace {

using test::alone;
using test::expect_same;
using test::Kind;
using test::Kinds;
using test::random_input;

constexpr std::size_t kOutputs = 48;

// y = base(x) + x · columnᵀ, as a low-rank addition of rank 1 would be. Knows nothing but
// forward().
class Added : public Linear {
 public:
  explicit Added(std::unique_ptr<Linear> base) : base_(std::move(base)) {}
  std::size_t inputs() const override { return base_->inputs(); }
  std::size_t outputs() const override { return base_->outputs(); }
  std::size_t bytes() const override { return base_->bytes(); }
  std::string kind() const override { return base_->kind(); }
  void prepare(Compute compute) override { base_->prepare(compute); }
  void forward(const LayerInput& x, Matrix y, Compute compute) const override {
    base_->forward(x, y, compute);
    add(x, 0, 0, y);
  }
  void decode(std::size_t first, Matrix out) const override {
    base_->decode(first, out);
    for (std::size_t r = 0; r < out.rows; ++r) out(r, 0) += weight(first + r);
  }
  const float* bias() const override { return base_->bias(); }

 protected:
  static float weight(std::size_t output) { return 1 + static_cast<float>(output % 7); }
  // Outputs from `first` on, of rows of x from `first_row` on.
  static void add(const LayerInput& x, std::size_t first_row, std::size_t first, Matrix y) {
    for (std::size_t r = 0; r < y.rows; ++r)
      for (std::size_t c = 0; c < y.columns; ++c)
        y(r, c) += x.values()(first_row + r, 0) * weight(first + c);
  }
  std::unique_ptr<Linear> base_;
};

// The same, which adds to ranges too.
class AddedToRanges final : public Added, private RowRanges {
 public:
  using Added::Added;
  std::size_t outputs() const override { return base_->outputs(); }
  const RowRanges* ranges(Compute compute) const override {
    ranges_ = base_->ranges(compute);
    return ranges_ == nullptr ? nullptr : this;
  }

 private:
  void round(const LayerInput& x) const override { ranges_->round(x); }
  std::size_t grain(const LayerInput& x) const override { return ranges_->grain(x); }
  void make(const LayerInput& x, std::size_t first, std::size_t count,
            Strip& strip) const override {
    ranges_->make(x, first, count, strip);
  }
  void multiply(const LayerInput& x, const Strip& strip, std::size_t first_row,
                Matrix y) const override {
    ranges_->multiply(x, strip, first_row, y);
    add(x, first_row, strip.first, y);
  }
  mutable const RowRanges* ranges_ = nullptr;
};

// Two layers of one kind, joined and alone, in each arithmetic and for few and many inputs.
void expect_joined_as_alone(const Linear& first, const Linear& second, Compute compute,
                            const std::string& kind) {
  for (const std::size_t rows : {1u, 3u, 9u, 40u, 130u}) {
    const std::string what = kind + ", " + std::to_string(rows) + " rows";
    const Tensor x = random_input(rows);
    const Tensor first_alone = alone(first, x, compute), second_alone = alone(second, x, compute);
    Tensor y0(rows, kOutputs), y1(rows, kOutputs);
    forward_together(std::array<LayerOutput, 2>{{{&first, y0.view()}, {&second, y1.view()}}},
                     x.view(), compute);
    expect_same(y0, first_alone, what);
    expect_same(y1, second_alone, what);

    Tensor gated(rows, kOutputs), expected(rows, kOutputs);
    forward_gated(first, second, kernels().silu_multiply, x.view(), gated.view(), compute);
    for (std::size_t r = 0; r < rows; ++r)
      kernels().silu_multiply(first_alone.view().row(r), second_alone.view().row(r),
                              expected.view().row(r), kOutputs);
    expect_same(gated, expected, what + ", gated");
  }
}

template <typename Decorator>
void expect_joined_as_alone_for_every_kind() {
  Kinds kinds(kOutputs);
  for (const Kind& kind : kinds.all)
    for (const Compute compute : {Compute::kInt8, Compute::kFloat32}) {
      const std::vector<float> bias(kOutputs, 0.25f);
      Decorator added(kind.make(1, bias));
      const auto plain = kind.make(2, {});
      added.prepare(compute);
      plain->prepare(compute);
      expect_joined_as_alone(added, *plain, compute, kind.name);
      expect_joined_as_alone(*plain, added, compute, kind.name);
    }
}

TEST(DecoratedLinear, KeepsItsPartInJoinedLoopsOnEveryKindOfLayer) {
  expect_joined_as_alone_for_every_kind<Added>();
}

TEST(DecoratedLinear, MayTakePartInJoinedLoopsByAddingToRanges) {
  expect_joined_as_alone_for_every_kind<AddedToRanges>();
}

TEST(DecoratedLinear, AddsTheSameToRangesAsToTheWhole) {
  Kinds kinds(kOutputs);
  for (const Kind& kind : kinds.all) {
    Added whole(kind.make(1, {}));
    AddedToRanges ranges(kind.make(1, {}));
    whole.prepare(Compute::kInt8);
    ranges.prepare(Compute::kInt8);
    const RowRanges* offered = ranges.ranges(Compute::kInt8);
    if (offered == nullptr) continue;
    const Tensor x = random_input(40);
    Tensor y(40, kOutputs);
    run_ranges(*offered, x.view(), y.view());
    expect_same(y, alone(whole, x, Compute::kInt8), kind.name);
  }
}

// Bias has one owner: in joined loops it is added once, where alone it is added once.
TEST(LinearBias, IsAddedOnceByEveryKindOfLayerInEveryLoop) {
  Kinds kinds(kOutputs);
  for (const Kind& kind : kinds.all)
    for (const Compute compute : {Compute::kInt8, Compute::kFloat32}) {
      const auto biased = kind.make(1, std::vector<float>(kOutputs, 0.5f));
      const auto plain = kind.make(1, {});
      biased->prepare(compute);
      plain->prepare(compute);
      const Tensor x = random_input(9);
      Tensor expected = alone(*plain, x, compute);
      for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] += 0.5f;
      expect_same(alone(*biased, x, compute), expected, kind.name);
      Tensor y0(9, kOutputs), y1(9, kOutputs);
      forward_together(
          std::array<LayerOutput, 2>{{{biased.get(), y0.view()}, {biased.get(), y1.view()}}},
          x.view(), compute);
      expect_same(y0, expected, kind.name);
      expect_same(y1, expected, kind.name);
    }
}

// Ranges end where the layer ends, also where the last panel is wider.
TEST(RowRangesTest, WriteNothingBesideTheirOutputs) {
  constexpr std::size_t kOdd = 37;
  Kinds kinds(kOdd);
  for (const Kind& kind : kinds.all) {
    const auto layer = kind.make(1, std::vector<float>(kOdd, 1.0f));
    layer->prepare(Compute::kInt8);
    const RowRanges* ranges = layer->ranges(Compute::kInt8);
    if (ranges == nullptr) continue;
    for (const std::size_t rows : {1u, 40u}) {
      const Tensor x = random_input(rows);
      Tensor wide(rows, kOdd + 8);
      wide.fill(-1);
      run_ranges(*ranges, x.view(), wide.view().columns_at(0, kOdd));
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = kOdd; c < kOdd + 8; ++c) ASSERT_EQ(wide.view()(r, c), -1) << kind.name;
    }
  }
}

}  // namespace
}  // namespace nibble
