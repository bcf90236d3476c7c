// A product that is added to something is written as std::fma: left to the compiler, it would be
// rounded once on some machines and twice on others.
#include "base/exact_normal.h"

#include <cmath>

namespace nibble {
namespace {

constexpr double kLn2 = 0.693147180559945309417;
constexpr double kRootOfHalf = 0.707106781186547524401;

}  // namespace

double exact_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < kRootOfHalf) {
    m *= 2;
    --exponent;
  }
  // ln m = 2 artanh z, and |z| < 0.172: twelve terms of its series.
  const double z = (m - 1) / (m + 1), square = z * z;
  double series = 0;
  for (int k = 11; k >= 0; --k) series = std::fma(series, square, 1.0 / (2 * k + 1));
  return std::fma(static_cast<double>(exponent), kLn2, 2 * z * series);
}

double ExactNormal::next() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double u, v, square;
  do {
    u = std::fma(2.0, random_.uniform(), -1.0);
    v = std::fma(2.0, random_.uniform(), -1.0);
    square = std::fma(u, u, v * v);
  } while (square >= 1 || square == 0);
  const double factor = std::sqrt(-2 * exact_log(square) / square);
  spare_ = v * factor;
  has_spare_ = true;
  return u * factor;
}

}  // namespace nibble
