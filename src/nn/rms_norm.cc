#include "nn/rms_norm.h"

#include <cmath>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {

void rms_norm(ConstMatrix x, std::span<const float> gain, float epsilon, Matrix y) {
  const auto rows = [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const float mean = kernels().square_sum(x.row(r), x.columns) / static_cast<float>(x.columns);
      const float factor = 1 / std::sqrt(mean + epsilon);
      for (std::size_t c = 0; c < x.columns; ++c) y(r, c) = x(r, c) * factor * gain[c];
    }
  };
  if (x.rows <= 8) return rows(0, x.rows);  // starting threads would cost more
  parallel_ranges(x.rows, 32, rows);
}

}  // namespace nibble
