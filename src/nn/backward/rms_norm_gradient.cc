#include "nn/backward/rms_norm_gradient.h"

#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {
namespace {

// Rows whose share of the gain's gradient is summed by itself: the order of all sums is fixed.
constexpr std::size_t kGrain = 32;

}  // namespace

void add_rms_norm_gradient(ConstMatrix x, std::span<const float> gain, float epsilon,
                           ConstMatrix dy, Matrix dx, std::span<float> dgain) {
  const std::size_t width = x.columns;
  Tensor shares(dgain.empty() ? 0 : (x.rows + kGrain - 1) / kGrain, width);
  shares.fill(0);
  parallel_ranges(x.rows, kGrain, [&](std::size_t begin, std::size_t end) {
    std::vector<float> weighted(width);  // dy · gain
    for (std::size_t r = begin; r < end; ++r) {
      const float* in = x.row(r);
      const float* out = dy.row(r);
      for (std::size_t c = 0; c < width; ++c) weighted[c] = out[c] * gain[c];
      const float mean = kernels().square_sum(in, width) / static_cast<float>(width);
      const float factor = 1 / std::sqrt(mean + epsilon);
      const float along = kernels().dot(weighted.data(), in, width);
      const float back = factor * factor * factor * along / static_cast<float>(width);
      kernels().add_scaled(factor, weighted.data(), dx.row(r), width);
      kernels().add_scaled(-back, in, dx.row(r), width);
      if (dgain.empty()) continue;
      float* share = shares.view().row(begin / kGrain);
      for (std::size_t c = 0; c < width; ++c) share[c] += out[c] * in[c] * factor;
    }
  });
  for (std::size_t s = 0; s < shares.rows(); ++s)
    kernels().add_scaled(1, shares.view().row(s), dgain.data(), width);
}

}  // namespace nibble
