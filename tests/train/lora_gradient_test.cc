#include "train/lora_gradient.h"

#include <gtest/gtest.h>

#include "nn/backward/slopes.h"
#include "nn/dense_linear.h"

namespace nibble {
namespace {

using test::Doubles;

constexpr std::size_t kTokens = 7, kInputs = 9, kOutputs = 6, kRank = 3;

struct Problem {
  Tensor weight = test::random_tensor(kOutputs, kInputs, 1);
  Tensor bias = test::random_tensor(1, kOutputs, 2);
  Tensor x = test::random_tensor(kTokens, kInputs, 3);
  Tensor dy = test::random_tensor(kTokens, kOutputs, 4);
  std::shared_ptr<LowRank> added = std::make_shared<LowRank>();

  explicit Problem(bool with_magnitude) {
    added->a = test::random_tensor(kRank, kInputs, 5);
    added->b = test::random_tensor(kOutputs, kRank, 6);
    added->scale = 0.75f;
    if (!with_magnitude) return;
    for (std::size_t o = 0; o < kOutputs; ++o)
      added->magnitude.push_back(0.5f + static_cast<float>(o));
  }
  LoraLinear layer() const {
    return {dense_linear(weight.clone(), {bias.data(), bias.data() + kOutputs}), added};
  }
  // Row lengths of W + scale·B·A as they are now.
  Doubles lengths() const {
    Doubles out;
    for (std::size_t o = 0; o < kOutputs; ++o) {
      double squares = 0;
      for (std::size_t i = 0; i < kInputs; ++i) {
        double w = weight.view()(o, i);
        for (std::size_t r = 0; r < kRank; ++r)
          w += double{added->scale} * added->b.view()(o, r) * added->a.view()(r, i);
        squares += w * w;
      }
      out.push_back(std::sqrt(squares));
    }
    return out;
  }
  // Σ dy · y, with the lengths as constants.
  double loss(const Doubles& xs, const Doubles& a, const Doubles& b, const Doubles& m) const {
    const Doubles n = lengths();
    double sum = 0;
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t o = 0; o < kOutputs; ++o) {
        double y = 0;
        for (std::size_t i = 0; i < kInputs; ++i) {
          double w = weight.view()(o, i);
          for (std::size_t r = 0; r < kRank; ++r)
            w += double{added->scale} * b[o * kRank + r] * a[r * kInputs + i];
          y += xs[t * kInputs + i] * w;
        }
        if (!m.empty()) y *= m[o] / n[o];
        sum += (y + bias.data()[o]) * dy.view()(t, o);
      }
    return sum;
  }
};

TEST(LoraGradient, IsTheSlope) {
  for (const bool with_magnitude : {false, true}) {
    const Problem p(with_magnitude);
    const LoraLinear layer = p.layer();
    Tensor da(kRank, kInputs), db(kOutputs, kRank), dx(kTokens, kInputs);
    Tensor dm(1, with_magnitude ? kOutputs : 0);
    for (Tensor* part : {&da, &db, &dx, &dm}) part->fill(0);
    LoraGradient gradient(layer, da.view(), db.view(), {dm.data(), dm.size()});
    gradient.add(p.x.view(), p.dy.view(), Compute::kFloat32);
    layer.add_input_gradient(p.dy.view(), dx.view(), Compute::kFloat32);
    const Doubles x = test::doubles_of(p.x), a = test::doubles_of(p.added->a),
                  b = test::doubles_of(p.added->b);
    const Doubles m(p.added->magnitude.begin(), p.added->magnitude.end());
    test::expect_slopes(
        da, p.added->a, [&](auto& v) { return p.loss(x, v, b, m); }, "A");
    test::expect_slopes(
        db, p.added->b, [&](auto& v) { return p.loss(x, a, v, m); }, "B");
    test::expect_slopes(
        dx, p.x, [&](auto& v) { return p.loss(v, a, b, m); }, "x");
    if (!with_magnitude) continue;
    Tensor magnitude(1, kOutputs);
    std::copy(m.begin(), m.end(), magnitude.data());
    test::expect_slopes(
        dm, magnitude, [&](auto& v) { return p.loss(x, a, b, v); }, "m");
  }
}

}  // namespace
}  // namespace nibble
