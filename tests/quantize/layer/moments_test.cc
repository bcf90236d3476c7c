// Second moments against sums in double, and the correction against least squares.
#include "quantize/layer/moments.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quantize/layer/inverse_factor.h"
#include "quantize/obq_reference.h"
#include "quantize/sample_task.h"

namespace nibble {
namespace {

using test::SampleTask;

// Inputs that moved a little, as after quantized layers.
Tensor moved(const Tensor& inputs) {
  Tensor out = inputs.clone();
  Random random(7);
  for (std::size_t r = 0; r < out.rows(); ++r)
    for (std::size_t c = 0; c < out.columns(); ++c)
      out.view()(r, c) = 0.9f * inputs.view()(r, c) + 0.1f * inputs.view()(r, (c + 1) % 48) +
                         0.05f * (static_cast<float>(random.uniform()) - 0.5f);
  return out;
}

class MomentsCompute : public testing::TestWithParam<Compute> {};

TEST_P(MomentsCompute, AreMeansOverAllInputs) {
  const SampleTask sample(2, 48, 300, 4);
  const Tensor seen = moved(sample.inputs);
  Moments moments(48, GetParam(), true);
  moments.add(seen.view().rows_at(0, 100), sample.inputs.view().rows_at(0, 100));
  moments.add(seen.view().rows_at(100, 200), sample.inputs.view().rows_at(100, 200));
  moments.finish();
  const double tolerance = GetParam() == Compute::kFloat32 ? 1e-5 : 1e-2;
  for (std::size_t i = 0; i < 48; ++i)
    for (std::size_t j = 0; j < 48; ++j) {
      double second = 0, drift = 0, second_size = 0, drift_size = 0;
      for (std::size_t t = 0; t < 300; ++t) {
        const double x = seen.view()(t, j), lost = sample.inputs.view()(t, i) - seen.view()(t, i);
        second += seen.view()(t, i) * x / 300;
        second_size += std::abs(seen.view()(t, i) * x) / 300;
        drift += lost * x / 300;
        drift_size += std::abs(lost * x) / 300;
      }
      EXPECT_NEAR(moments.hessian()(i, j), second, tolerance * second_size) << i << "," << j;
      EXPECT_NEAR(moments.drift()(i, j), drift, tolerance * drift_size) << i << "," << j;
    }
}

INSTANTIATE_TEST_SUITE_P(Moments, MomentsCompute,
                         testing::Values(Compute::kFloat32, Compute::kBfloat16),
                         [](const auto& test) {
                           return test.param == Compute::kFloat32 ? "Float32" : "Bfloat16";
                         });

// Σ ‖W·x − V·x̂‖²
double lost(ConstMatrix original, ConstMatrix changed, ConstMatrix wanted, ConstMatrix seen) {
  double sum = 0;
  for (std::size_t t = 0; t < wanted.rows; ++t)
    for (std::size_t r = 0; r < original.rows; ++r) {
      double difference = 0;
      for (std::size_t c = 0; c < wanted.columns; ++c)
        difference += static_cast<double>(original(r, c)) * wanted(t, c) -
                      static_cast<double>(changed(r, c)) * seen(t, c);
      sum += difference * difference;
    }
  return sum;
}

TEST(DriftCorrection, IsTheLeastSquaresAnswer) {
  const SampleTask sample(4, 48, 300, 4);
  const Tensor seen = moved(sample.inputs);
  Moments moments(48, Compute::kFloat32, true);
  moments.add(seen.view(), sample.inputs.view());
  moments.finish();
  const auto corrected = [&](double share) {
    const Tensor correction = drift_correction(moments.hessian(), moments.drift(), 1e-6, share);
    Tensor weight = sample.weight.clone();
    correct_drift(weight.view(), correction.view());
    return weight;
  };
  const auto loss = [&](const Tensor& weight) {
    return lost(sample.weight.view(), weight.view(), sample.inputs.view(), seen.view());
  };
  Tensor best = corrected(1);
  const double least = loss(best);
  EXPECT_LT(least, 0.1 * loss(sample.weight));
  EXPECT_LT(loss(corrected(0.5)), loss(sample.weight));
  // No neighbour does better.
  for (const std::size_t c : {0u, 11u, 47u})
    for (const float step : {-0.01f, 0.01f}) {
      best.view()(1, c) += step;
      EXPECT_GT(loss(best), least);
      best.view()(1, c) -= step;
    }
}

TEST(DriftCorrection, IsNothingWithoutDriftOrWithoutAnInverse) {
  const SampleTask sample(2, 48, 300, 4);
  Tensor drift(48, 48);
  drift.fill(0);
  const Tensor none = drift_correction(sample.hessian.view(), drift.view(), 0.01, 1);
  for (std::size_t i = 0; i < none.size(); ++i) EXPECT_EQ(none.data()[i], 0);
  Tensor bad = sample.hessian.clone();
  bad.view()(3, 3) = NAN;
  EXPECT_EQ(drift_correction(bad.view(), drift.view(), 0.01, 1).rows(), 0u);
}

TEST(InverseFactor, SquaresToTheInverse) {
  for (const std::size_t n : {1u, 48u, 200u, 400u}) {
    SampleTask sample(1, n, 2 * n + 50, 4);
    for (std::size_t i = 0; i < n; ++i) sample.hessian.view()(i, i) += 0.01f;
    const auto u = inverse_factor({sample.hessian.view()});
    ASSERT_TRUE(u);
    const std::vector<double> inverse =
        test::inverse_of({sample.hessian.data(), sample.hessian.data() + n * n}, n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k <= std::min(i, j); ++k)
          sum += static_cast<double>(u->view()(k, i)) * u->view()(k, j);
        EXPECT_NEAR(sum, inverse[i * n + j], 1e-4 * std::abs(inverse[i * n + i])) << n;
      }
  }
}

TEST(InverseFactor, OfAnotherOrderIsThatOfTheMatrixSoOrdered) {
  const std::size_t n = 150;
  SampleTask sample(1, n, 2 * n + 50, 4);
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = (i * 7 + 3) % n;
  Tensor ordered(n, n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      ordered.view()(i, j) = sample.hessian.view()(order[i], order[j]);
  const auto got = inverse_factor({sample.hessian.view(), order, 0.01});
  const auto expected = inverse_factor({ordered.view(), {}, 0.01});
  ASSERT_TRUE(got && expected);
  for (std::size_t i = 0; i < n * n; ++i) EXPECT_EQ(got->data()[i], expected->data()[i]);
}

// Inputs that were always 0 change nothing for the others.
TEST(InverseFactor, LeavesDeadInputsOut) {
  const std::size_t n = 60;
  SampleTask sample(1, n, 2 * n + 50, 4);
  for (std::size_t i = 0; i < n; ++i)
    sample.hessian.view()(i, 20) = sample.hessian.view()(20, i) = 0;
  const auto u = inverse_factor({sample.hessian.view(), {}, 0.01});
  ASSERT_TRUE(u);
  EXPECT_EQ(u->view()(20, 20), 1);
  for (std::size_t i = 0; i < n; ++i)
    if (i != 20) {
      EXPECT_EQ(u->view()(std::min(i, std::size_t{20}), std::max(i, std::size_t{20})), 0);
    }
}

TEST(InverseFactor, DampingIsRaisedUntilThereIsOne) {
  Tensor singular(3, 3);
  singular.fill(1);
  EXPECT_FALSE(inverse_factor({singular.view()}));
  const auto factor = damped_factor({singular.view()});
  ASSERT_TRUE(factor);
  EXPECT_TRUE(factor->raised);
  EXPECT_GE(factor->damping, 1e-6);
  singular.view()(1, 1) = NAN;
  EXPECT_FALSE(damped_factor({singular.view()}));
}

}  // namespace
}  // namespace nibble
