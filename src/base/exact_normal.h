// Normally distributed numbers that are the same bits on every machine. Random::normal asks the C
// library for a logarithm and a cosine, whose last bits differ between libraries; this one only
// adds, multiplies, divides and takes roots, all of which IEEE 754 rounds in one way.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace nibble {

class ExactNormal {
 public:
  explicit ExactNormal(std::uint64_t seed) : random_(seed) {}
  // Mean 0, variance 1 (the polar method of Marsaglia and Bray 1964).
  double next();

 private:
  Random random_;
  double spare_ = 0;
  bool has_spare_ = false;
};

// Natural logarithm of a normal positive number, within 1e-15 of its size or of 1.
double exact_log(double x);

}  // namespace nibble
