// Rounding to uniform grids of 1 to 8 bits, and the search for their scales.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/kernels.h"
#include "quantize/layer/rounders.h"

namespace nibble {
namespace {

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

class UniformRounder final : public Rounder {
 public:
  UniformRounder(const Grid& grid, const Storable& storable, Symmetry symmetry, ScaleSearch search)
      : Rounder(grid, storable),
        bits_(grid.bits),
        symmetry_(symmetry),
        search_(search),
        integer_zeros_(storable.integer_zeros),
        lowest_zero_(storable.lowest_zero),
        max_code_(static_cast<float>((1 << grid.bits) - 1)),
        middle_(static_cast<float>(1 << (grid.bits - 1))) {}

  bool free_zero() const override { return symmetry_ == Symmetry::kAsymmetric; }

  Code nearest(const float* weight, GroupParams params) const override {
    return code_of(*weight, params);
  }

  void round(std::span<const float> weights, GroupParams params,
             std::span<Code> codes) const override {
    for (std::size_t i = 0; i < weights.size(); ++i) codes[i] = code_of(weights[i], params);
  }

  float stored_zero(float zero) const override {
    return std::clamp(storable().nearest_zero(zero), lowest_zero_, max_code_);
  }

  GroupParams fit(const GroupView& group) const override {
    const std::span<const float> weights = group.weights;
    const Extremes e = extremes_of(weights);
    if (e.low == 0 && e.high == 0) return {1, free_zero() ? std::max(lowest_zero_, 0.0f) : middle_};
    const GroupParams start = free_zero() ? asymmetric_start(e) : symmetric_start(e);
    if (search_ == ScaleSearch::kAbsMax) return start;
    std::vector<float> equal;
    std::span<const float> importance = group.importance;
    if (search_ == ScaleSearch::kMse || importance.empty()) {
      equal.assign(weights.size(), 1.0f);
      importance = equal;
    }
    if (grid().centred && bits_ == 2) return best_of_three(weights, importance, start);
    return free_zero() ? search_asymmetric(weights, importance, e, start)
                       : search_symmetric(weights, importance, start);
  }

 private:
  Code code_of(float weight, GroupParams p) const {
    // An integer zero is added behind the rounding, any other before it.
    const float behind = integer_zeros_ ? p.zero : 0.0f, before = p.zero - behind;
    // Clamped first, the sum rounds as nearbyint does, half to even, without a call.
    const float inside =
        std::clamp(weight / p.scale + before, lowest_code() - behind, max_code_ - behind);
    return static_cast<Code>((inside + 0x1.8p23f) - 0x1.8p23f + behind);
  }

  // The plain symmetric grid leaves its lowest code unused so that ±absmax both lie on it.
  float lowest_code() const { return symmetry_ == Symmetry::kPlain ? 1.0f : 0.0f; }

  GroupParams symmetric_start(const Extremes& e) const {
    const float peak = std::fabs(e.signed_peak);
    if (symmetry_ == Symmetry::kPlain) return {stored_scale(peak / (middle_ - 1)), middle_};
    if (symmetry_ == Symmetry::kFullRange) return {stored_scale(2 * peak / max_code_), middle_};
    return {stored_scale(-e.signed_peak / middle_), middle_};
  }

  GroupParams asymmetric_start(const Extremes& e) const {
    const float scale = stored_scale((e.high - e.low) / max_code_);
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
    std::vector<Code> codes(weights.size());
    for (int turn = 0; turn < 4; ++turn) {
      round(weights, best, codes);
      const float before = best_error;
      keep_better(weights, importance, refit({weights, importance}, codes, best), best, best_error);
      if (!(best_error < before)) break;
    }
  }

  // Of −1, 0 and 1 the best scale is known: whatever it is, the k largest weights are those that do
  // not become 0, and for them it is their weighted mean, S1 / S0; what is then gained is S1² / S0.
  GroupParams best_of_three(std::span<const float> weights, std::span<const float> importance,
                            GroupParams start) const {
    std::vector<std::size_t> order(weights.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const float first = std::fabs(weights[a]), second = std::fabs(weights[b]);
      return first != second ? first > second : a < b;
    });
    double sum = 0, total = 0, gained = 0, scale = start.scale;
    for (const std::size_t i : order) {
      sum += static_cast<double>(importance[i]) * std::fabs(weights[i]);
      total += importance[i];
      if (!(total > 0) || !(sum * sum > gained * total)) continue;
      gained = sum * sum / total;
      scale = sum / total;
    }
    return {stored_scale(static_cast<float>(scale)), start.zero};
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
      const float scale = stored_scale(start.scale * factor);
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
      const float scale = stored_scale((e.high - e.low) * factor / max_code_);
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
  ScaleSearch search_;
  bool integer_zeros_;
  float lowest_zero_, max_code_, middle_;
};

}  // namespace

std::unique_ptr<Rounder> uniform_rounder(const Grid& grid, const Storable& storable,
                                         Symmetry symmetry, ScaleSearch search) {
  return std::make_unique<UniformRounder>(grid, storable,
                                          grid.centred ? Symmetry::kPlain : symmetry, search);
}

}  // namespace nibble
