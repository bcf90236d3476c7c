// A layer of stored codes has the same weights in every form it takes.
#include "nn/stored_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "formats/format.h"
#include "nibble/error.h"
#include "nn/panels/panels.h"
#include "support/allocation.h"
#include "support/memory_codes.h"

namespace nibble {
namespace {

using test::MemoryCodes;

std::unique_ptr<Linear> layer_of(const Codes& codes, std::vector<float> bias = {}) {
  return stored_linear(std::make_unique<MemoryCodes>(codes), std::move(bias));
}

Tensor decoded(const Linear& layer) {
  Tensor weights(layer.outputs(), layer.inputs());
  layer.decode(0, weights.view());
  return weights;
}

void expect_equal(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

// y = x · Wᵀ + bias within what rounding x may cost, or of float sums.
void expect_product(const Linear& layer, const Codes& codes, const std::vector<float>& bias,
                    Compute compute) {
  Tensor weights(codes.rows, codes.columns);
  decode_rows(codes, 0, weights.view());
  for (const std::size_t tokens : {1u, 5u, 20u}) {
    Tensor x(tokens, codes.columns), y(tokens, codes.rows);
    Random random(tokens);
    for (std::size_t i = 0; i < x.size(); ++i)
      x.data()[i] = static_cast<float>(random.uniform() - 0.5);
    layer.forward(x.view(), y.view(), compute);
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t r = 0; r < codes.rows; ++r) {
        double exact = bias[r], squares = 0;
        for (std::size_t c = 0; c < codes.columns; ++c) {
          const double w = weights.view()(r, c);
          exact += w * x.view()(t, c);
          squares += w * w;
        }
        const double step = compute == Compute::kInt8 ? 0.5 / 254 : 1e-6;
        ASSERT_NEAR(y.view()(t, r), exact, 5 * std::sqrt(squares) * step) << t << " " << r;
      }
  }
}

TEST(StoredLinear, DecodesTheSameWhateverItIsPreparedFor) {
  test::for_all_kinds_of_codes([](const Codes& codes) {
    const auto layer = layer_of(codes);
    Tensor weights(codes.rows, codes.columns);
    decode_rows(codes, 0, weights.view());
    expect_equal(decoded(*layer), weights);
    for (const Compute compute : {Compute::kInt8, Compute::kFloat32, Compute::kInt8}) {
      layer->prepare(compute);
      expect_equal(decoded(*layer), weights);
    }
  });
}

TEST(StoredLinear, MultipliesInEveryArithmeticWhateverItIsPreparedFor) {
  test::for_all_kinds_of_codes([](const Codes& codes) {
    std::vector<float> bias(codes.rows);
    for (std::size_t r = 0; r < bias.size(); ++r) bias[r] = static_cast<float>(r);
    const auto layer = layer_of(codes, bias);
    expect_product(*layer, codes, bias, Compute::kFloat32);
    layer->prepare(Compute::kInt8);
    expect_product(*layer, codes, bias, Compute::kInt8);
    expect_product(*layer, codes, bias, Compute::kFloat32);
    layer->prepare(Compute::kFloat32);
    expect_product(*layer, codes, bias, Compute::kFloat32);
    expect_product(*layer, codes, bias, Compute::kInt8);
  });
}

TEST(StoredLinear, KeepsOneFormAtATime) {
  const Codes codes = test::random_codes(512, 1024, 4, 128, true);
  const auto layer = layer_of(codes);
  const std::size_t packed = pack(codes).bytes(), before = test::live_bytes();
  layer->prepare(Compute::kFloat32);
  EXPECT_EQ(layer->bytes(), packed);
  EXPECT_GE(test::live_bytes(), before + packed);
  layer->prepare(Compute::kInt8);
  EXPECT_EQ(layer->bytes(), panels_of(MemoryCodes(codes), slot_order(codes))->bytes());
  // Panels are not counted here: they have pages of their own.
  EXPECT_LT(test::live_bytes(), before + packed / 2);
}

TEST(StoredLinear, ComputesWithScalesThatPanelsCannotHold) {
  Codes codes = test::random_codes(40, 64, 4, 32, true);
  for (float& scale : codes.scales) scale *= 1.001f;
  const std::vector<float> bias(codes.rows);
  const auto layer = layer_of(codes, bias);
  layer->prepare(Compute::kInt8);
  expect_product(*layer, codes, bias, Compute::kInt8);
}

TEST(StoredLinear, RefusesAnIndexThatPutsAllColumnsIntoOneSmallGroup) {
  Codes codes = test::random_codes(16, 1024, 4, 32, true);
  codes.group_index.assign(1024, 0);
  EXPECT_THROW(layer_of(codes), Error);
}

}  // namespace
}  // namespace nibble
