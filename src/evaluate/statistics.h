// Means with their errors, and percentiles. Sums run in the order of the values.
#pragma once

#include <span>
#include <vector>

namespace nibble {

struct Mean {
  double value = 0;
  double error = 0;  // standard error; 0 for fewer than two values
};
Mean mean_of(std::span<const double> values);

// share in [0, 1], between two values by straight line. `sorted` is ascending and not empty.
double percentile(std::span<const double> sorted, double share);

}  // namespace nibble
