// Gradients of plain definitions in double, by central differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"
#include "nibble/tensor.h"

namespace nibble::test {

using Doubles = std::vector<double>;

inline Tensor random_tensor(std::size_t rows, std::size_t columns, std::uint64_t seed,
                            double size = 1) {
  Random random(seed);
  Tensor out(rows, columns);
  for (std::size_t i = 0; i < out.size(); ++i)
    out.data()[i] = static_cast<float>(size * (2 * random.uniform() - 1));
  return out;
}

inline Doubles doubles_of(const Tensor& values) {
  return {values.data(), values.data() + values.size()};
}

// Σ a·b
inline double dot(const Doubles& a, const Doubles& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Expects `found` to be the slopes of `loss` at `at`, to 1e-4 of the largest of them.
inline void expect_slopes(const Tensor& found, const Tensor& at,
                          const std::function<double(const Doubles&)>& loss,
                          const std::string& what) {
  ASSERT_EQ(found.size(), at.size()) << what;
  Doubles values = doubles_of(at), slopes(values.size());
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double before = values[i], step = 6e-6 * std::max(1.0, std::abs(before));
    values[i] = before + step;
    const double above = loss(values);
    values[i] = before - step;
    slopes[i] = (above - loss(values)) / (2 * step);
    values[i] = before;
    largest = std::max(largest, std::abs(slopes[i]));
  }
  ASSERT_GT(largest, 0) << what;
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(found.data()[i], slopes[i], 1e-4 * largest) << what << ", element " << i;
}

}  // namespace nibble::test
