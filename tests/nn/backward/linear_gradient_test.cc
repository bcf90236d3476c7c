#include "nn/backward/linear_gradient.h"

#include "nibble/process.h"
#include "nn/backward/slopes.h"
#include "nn/kinds_of_layers.h"
#include "nn/rope.h"

namespace nibble {
namespace {

using test::Doubles;

// Σ_o dy[t, o] · W[o, c], of the weights as the layer decodes them.
double expected(const Tensor& weights, const Tensor& dy, std::size_t t, std::size_t c) {
  double sum = 0;
  for (std::size_t o = 0; o < weights.rows(); ++o)
    sum += static_cast<double>(dy.view()(t, o)) * weights.view()(o, c);
  return sum;
}

TEST(LinearGradient, OfInputsMultipliesTheWeightsOfEveryKindOfLayer) {
  const test::Kinds kinds(48);
  for (const test::Kind& kind : kinds.all)
    for (const bool prepared : {false, true}) {
      const auto layer = kind.make(3, std::vector<float>(48, 0.5f));
      if (prepared) layer->prepare(Compute::kInt8);
      Tensor weights(48, test::kKindInputs);
      layer->decode(0, weights.view());
      const Tensor dy = test::random_tensor(5, 48, 7);
      Tensor dx(5, test::kKindInputs);
      dx.fill(0.25f);
      layer->add_input_gradient(dy.view(), dx.view(), Compute::kFloat32);
      double largest = 0;
      for (std::size_t i = 0; i < weights.size(); ++i)
        largest = std::max<double>(largest, std::abs(weights.data()[i]));
      for (std::size_t t = 0; t < 5; ++t)
        for (std::size_t c = 0; c < test::kKindInputs; ++c)
          ASSERT_NEAR(dx.view()(t, c), 0.25 + expected(weights, dy, t, c), 2e-5 * largest + 1e-6)
              << kind.name << (prepared ? ", prepared" : "");
    }
}

// More rows than are decoded at once, more tokens and inputs than a tile has.
TEST(LinearGradient, OfLargeLayersIsTheSameForAnyNumberOfThreads) {
  const Tensor weights = test::random_tensor(2100, 300, 1), dy = test::random_tensor(270, 2100, 2);
  const auto layer = dense_linear(weights.clone());
  for (const Compute compute : {Compute::kFloat32, Compute::kBfloat16}) {
    Tensor one(270, 300), two(270, 300);
    one.fill(0);
    two.fill(0);
    set_threads(1);
    layer->add_input_gradient(dy.view(), one.view(), compute);
    set_threads(2);
    layer->add_input_gradient(dy.view(), two.view(), compute);
    set_threads(0);
    test::expect_same(two, one, "two threads");
    for (const std::size_t t : {0u, 137u, 269u})
      for (const std::size_t c : {0u, 255u, 299u})
        EXPECT_NEAR(one.view()(t, c), expected(weights, dy, t, c),
                    compute == Compute::kFloat32 ? 1e-3 : 0.5);
  }
}

TEST(LinearGradient, OfWeightsAndBiasIsTheSlope) {
  const std::size_t tokens = 9, outputs = 5, inputs = 7;
  const Tensor x = test::random_tensor(tokens, inputs, 1);
  const Tensor dy = test::random_tensor(tokens, outputs, 2);
  const Tensor weight = test::random_tensor(outputs, inputs, 3);
  const Tensor bias = test::random_tensor(1, outputs, 4);
  Tensor dweight(outputs, inputs), dbias(1, outputs);
  dweight.fill(0);
  dbias.fill(0);
  add_weight_gradient(x.view(), dy.view(), dweight.view());
  add_bias_gradient(dy.view(), {dbias.data(), outputs});
  const auto loss = [&](const Doubles& w, const Doubles& b) {
    double sum = 0;
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t o = 0; o < outputs; ++o) {
        double y = b[o];
        for (std::size_t c = 0; c < inputs; ++c)
          y += static_cast<double>(x.view()(t, c)) * w[o * inputs + c];
        sum += y * static_cast<double>(dy.view()(t, o));
      }
    return sum;
  };
  const Doubles w = test::doubles_of(weight), b = test::doubles_of(bias);
  test::expect_slopes(
      dweight, weight, [&](const Doubles& v) { return loss(v, b); }, "weights");
  test::expect_slopes(
      dbias, bias, [&](const Doubles& v) { return loss(w, v); }, "bias");
}

// Turning is orthogonal: the gradient goes through the inverse.
TEST(RopeGradient, IsTheWayBack) {
  const std::vector<double> frequencies = {1.0, 0.3, 0.05};
  const RopeTable table(frequencies, 4, 20);
  const Tensor rows = test::random_tensor(9, 12, 1), other = test::random_tensor(9, 12, 2);
  Tensor turned = rows.clone(), back = other.clone();
  apply_rope(turned.view(), 6, table, 6);
  undo_rope(back.view(), 6, table, 6);
  EXPECT_NEAR(test::dot(test::doubles_of(turned), test::doubles_of(other)),
              test::dot(test::doubles_of(rows), test::doubles_of(back)), 1e-5);
  undo_rope(turned.view(), 6, table, 6);
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(turned.data()[i], rows.data()[i], 1e-6);
}

}  // namespace
}  // namespace nibble
