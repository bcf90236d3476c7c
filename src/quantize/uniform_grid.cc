// Uniform integer grids of 2 to 8 bits and the search for their scales.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/text.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "quantize/grid.h"
#include "tensor/half.h"

namespace nibble {
namespace {

// The nearest scale that float16 holds and that can be divided by: never 0, never infinite.
float storable(float scale) {
  constexpr float kSmallest = 0x1p-24f, kLargest = 65504;
  const float size = std::clamp(std::fabs(scale), kSmallest, kLargest);
  return half_to_float(float_to_half(std::copysign(size, scale)));
}

struct Extremes {
  float low = 0, high = 0;  // of the weights and 0
  float signed_peak = 0;    // the weight of largest magnitude
};

Extremes extremes_of(std::span<const float> weights) {
  Extremes e;
  for (const float w : weights) {
    e.low = std::min(e.low, w);
    e.high = std::max(e.high, w);
    if (std::fabs(w) > std::fabs(e.signed_peak)) e.signed_peak = w;
  }
  return e;
}

class UniformGrid final : public Grid {
 public:
  UniformGrid(int bits, Symmetry symmetry, int lowest_zero)
      : bits_(bits),
        symmetry_(symmetry),
        lowest_zero_(static_cast<float>(lowest_zero)),
        max_code_(static_cast<float>((1 << bits) - 1)),
        middle_(static_cast<float>(1 << (bits - 1))) {}

  int bits() const override { return bits_; }
  bool symmetric() const override { return symmetry_ != Symmetry::kAsymmetric; }
  std::string name() const override {
    return cat("int", bits_, symmetric() ? " symmetric" : " asymmetric");
  }

  std::uint8_t nearest(float weight, GroupParams p) const override {
    const float code = std::nearbyint(weight / p.scale) + p.zero;
    return static_cast<std::uint8_t>(std::clamp(code, lowest_code(), max_code_));
  }

  float stored_scale(float scale) const override { return storable(scale); }
  float stored_zero(float zero) const override {
    return std::clamp(std::nearbyint(zero), lowest_zero_, max_code_);
  }

  GroupParams fit(std::span<const float> weights, std::span<const float> importance,
                  ScaleSearch search) const override {
    const Extremes e = extremes_of(weights);
    if (e.low == 0 && e.high == 0) return {1, symmetric() ? middle_ : std::max(lowest_zero_, 0.0f)};
    const GroupParams start = symmetric() ? symmetric_start(e) : asymmetric_start(e);
    if (search == ScaleSearch::kAbsMax) return start;
    std::vector<float> equal;
    if (search == ScaleSearch::kMse || importance.empty()) {
      equal.assign(weights.size(), 1.0f);
      importance = equal;
    }
    return symmetric() ? search_symmetric(weights, importance, start)
                       : search_asymmetric(weights, importance, e, start);
  }

  GroupParams refit(std::span<const float> weights, std::span<const std::uint8_t> codes,
                    std::span<const float> importance, GroupParams p) const override {
    double products = 0, squares = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double q = codes[i] - p.zero, share = importance.empty() ? 1.0 : importance[i];
      products += share * q * weights[i];
      squares += share * q * q;
    }
    if (squares > 0 && products != 0) p.scale = storable(static_cast<float>(products / squares));
    return p;
  }

 private:
  // The plain symmetric grid leaves its lowest code unused so that ±absmax both lie on it.
  float lowest_code() const { return symmetry_ == Symmetry::kPlain ? 1.0f : 0.0f; }

  GroupParams symmetric_start(const Extremes& e) const {
    const float peak = std::fabs(e.signed_peak);
    if (symmetry_ == Symmetry::kPlain) return {storable(peak / (middle_ - 1)), middle_};
    if (symmetry_ == Symmetry::kFullRange) return {storable(2 * peak / max_code_), middle_};
    return {storable(-e.signed_peak / middle_), middle_};
  }

  GroupParams asymmetric_start(const Extremes& e) const {
    const float scale = storable((e.high - e.low) / max_code_);
    return {scale, std::clamp(std::nearbyint(-e.low / scale), lowest_zero_, max_code_)};
  }

  float error(std::span<const float> weights, std::span<const float> importance,
              GroupParams p) const {
    // The kernel's lowest code is 0: codes and zero move down together.
    return kernels().rounding_error(weights.data(), importance.data(), weights.size(), p.scale,
                                    p.zero - lowest_code(), max_code_ - lowest_code());
  }

  void keep_better(std::span<const float> weights, std::span<const float> importance, GroupParams p,
                   GroupParams& best, float& best_error) const {
    const float e = error(weights, importance, p);
    if (e < best_error) {
      best_error = e;
      best = p;
    }
  }

  // Alternates nearest codes and the least-squares scale for them; the error never rises.
  void polish(std::span<const float> weights, std::span<const float> importance, GroupParams& best,
              float& best_error) const {
    std::vector<std::uint8_t> codes(weights.size());
    for (int round = 0; round < 4; ++round) {
      for (std::size_t i = 0; i < weights.size(); ++i) codes[i] = nearest(weights[i], best);
      const float before = best_error;
      keep_better(weights, importance, refit(weights, codes, importance, best), best, best_error);
      if (!(best_error < before)) break;
    }
  }

  GroupParams search_symmetric(std::span<const float> weights, std::span<const float> importance,
                               GroupParams start) const {
    GroupParams best = start;
    float best_error = error(weights, importance, start);
    const bool both_signs = symmetry_ == Symmetry::kSigned;
    // Two and three bits gain from clipping much further than four and eight do.
    const float shortest = bits_ == 2 ? 0.3f : bits_ == 3 ? 0.45f : bits_ == 4 ? 0.6f : 0.85f;
    constexpr int kSteps = 24;
    for (int step = 0; step <= kSteps; ++step) {
      const float factor = shortest + (1.1f - shortest) * static_cast<float>(step) / kSteps;
      const float scale = storable(start.scale * factor);
      keep_better(weights, importance, {scale, start.zero}, best, best_error);
      if (both_signs) keep_better(weights, importance, {-scale, start.zero}, best, best_error);
    }
    polish(weights, importance, best, best_error);
    return best;
  }

  GroupParams search_asymmetric(std::span<const float> weights, std::span<const float> importance,
                                const Extremes& e, GroupParams start) const {
    GroupParams best = start;
    float best_error = error(weights, importance, start);
    const float shortest = bits_ == 2 ? 0.4f : bits_ == 3 ? 0.5f : bits_ == 4 ? 0.65f : 0.9f;
    constexpr int kSteps = 16;
    for (int step = 0; step <= kSteps; ++step) {
      const float factor = shortest + (1.05f - shortest) * static_cast<float>(step) / kSteps;
      const float scale = storable((e.high - e.low) * factor / max_code_);
      // The interval may shrink from either end: zeros around that of its middle.
      const float middle_zero = std::nearbyint(-(e.low + e.high) / 2 / scale + max_code_ / 2);
      const float reach = bits_ <= 4 ? 3.0f : 1.0f;
      const float first = std::max(middle_zero - reach, lowest_zero_);
      for (float zero = first; zero <= std::min(middle_zero + reach, max_code_); ++zero)
        keep_better(weights, importance, {scale, zero}, best, best_error);
    }
    polish(weights, importance, best, best_error);
    return best;
  }

  int bits_;
  Symmetry symmetry_;
  float lowest_zero_, max_code_, middle_;
};

}  // namespace

std::unique_ptr<Grid> uniform_grid(int bits, Symmetry symmetry, int lowest_zero) {
  if (bits < 2 || bits > 8) throw Error(ErrorKind::kUnsupported, cat("a grid of ", bits, " bits"));
  return std::make_unique<UniformGrid>(bits, symmetry, lowest_zero);
}

}  // namespace nibble
