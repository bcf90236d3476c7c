#include "nn/backward/rms_norm_gradient.h"

#include "nn/backward/slopes.h"

namespace nibble {
namespace {

using test::Doubles;

constexpr double kEpsilon = 1e-3;  // large enough to be seen in the gradient

// Σ dy · norm(x)
double loss(const Doubles& x, const Doubles& gain, const Doubles& dy) {
  const std::size_t width = gain.size();
  double sum = 0;
  for (std::size_t row = 0; row < x.size(); row += width) {
    double squares = 0;
    for (std::size_t c = 0; c < width; ++c) squares += x[row + c] * x[row + c];
    const double factor = 1 / std::sqrt(squares / static_cast<double>(width) + kEpsilon);
    for (std::size_t c = 0; c < width; ++c) sum += dy[row + c] * x[row + c] * factor * gain[c];
  }
  return sum;
}

TEST(RmsNormGradient, IsTheSlope) {
  for (const std::size_t rows : {1u, 3u, 70u}) {
    const std::size_t width = 19;
    const Tensor x = test::random_tensor(rows, width, 1, 0.3);
    const Tensor gain = test::random_tensor(1, width, 2), dy = test::random_tensor(rows, width, 3);
    Tensor dx(rows, width), dgain(1, width);
    dx.fill(0);
    dgain.fill(0);
    add_rms_norm_gradient(x.view(), {gain.data(), width}, kEpsilon, dy.view(), dx.view(),
                          {dgain.data(), width});
    const Doubles xs = test::doubles_of(x), gains = test::doubles_of(gain),
                  dys = test::doubles_of(dy);
    test::expect_slopes(
        dx, x, [&](const Doubles& v) { return loss(v, gains, dys); }, "input");
    test::expect_slopes(
        dgain, gain, [&](const Doubles& v) { return loss(xs, v, dys); }, "gain");
  }
}

TEST(RmsNormGradient, IsAddedAndLeavesAFrozenGainAlone) {
  const Tensor x = test::random_tensor(4, 8, 1), gain = test::random_tensor(1, 8, 2),
               dy = test::random_tensor(4, 8, 3);
  Tensor once(4, 8), twice(4, 8);
  once.fill(0);
  twice.fill(0);
  for (Tensor* to : {&once, &twice, &twice})
    add_rms_norm_gradient(x.view(), {gain.data(), 8}, kEpsilon, dy.view(), to->view(), {});
  for (std::size_t i = 0; i < once.size(); ++i)
    EXPECT_FLOAT_EQ(twice.data()[i], 2 * once.data()[i]);
}

}  // namespace
}  // namespace nibble
