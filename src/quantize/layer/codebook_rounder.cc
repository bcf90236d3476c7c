// Rounding to grids with a codebook, of one weight or several to a code: scales by a search around
// the one that brings the largest weight onto the largest entry.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "quantize/layer/rounders.h"

namespace nibble {
namespace {

constexpr int kSteps = 24;

class CodebookRounder final : public Rounder {
 public:
  CodebookRounder(const Grid& grid, const Storable& storable, ScaleSearch search)
      : Rounder(grid, storable), search_(search) {
    const auto [low, high] = std::minmax_element(grid.codebook.begin(), grid.codebook.end());
    const std::vector<float> zero(grid.dimension);
    for (std::size_t code = 0; code < grid.levels(); ++code)
      has_zero_ |=
          std::equal(zero.begin(), zero.end(),
                     grid.codebook.begin() + static_cast<std::ptrdiff_t>(code * grid.dimension));
    low_ = *low;
    high_ = *high;
    if (grid.dimension != 1) return;
    for (std::size_t i = 0; i + 1 < grid.codebook.size(); ++i)
      middles_.push_back((grid.codebook[i] + grid.codebook[i + 1]) / 2);
  }

  bool free_zero() const override { return false; }
  float stored_zero(float) const override { return 0; }

  Code nearest(const float* weights, GroupParams params) const override {
    if (!middles_.empty()) {
      const float unit = *weights / params.scale;
      Code code = 0;
      for (const float middle : middles_) code = static_cast<Code>(code + (unit > middle ? 1 : 0));
      return code;
    }
    return nearest_vector(weights, params);
  }

  GroupParams fit(const GroupView& group) const override {
    float low = 0, high = 0;
    for (const float w : group.weights) {
      low = std::min(low, w);
      high = std::max(high, w);
    }
    // Without a 0 of its own the codebook comes near it by its scale.
    if (low == 0 && high == 0) return {has_zero_ ? 1 : stored_scale(0), 0};
    // The scale that reaches both ends, whichever way the codebook is turned.
    const float upright = std::max(low_ < 0 ? low / low_ : 0, high_ > 0 ? high / high_ : 0);
    const float turned = std::max(high_ > 0 ? low / -high_ : 0, low_ < 0 ? high / -low_ : 0);
    const bool mirrored = low_ == -high_;
    GroupParams best{stored_scale(!mirrored && turned < upright ? -turned : upright), 0};
    if (search_ == ScaleSearch::kAbsMax) return best;
    const GroupView view{
        group.weights, search_ == ScaleSearch::kMse ? std::span<const float>() : group.importance};
    search(view, upright, turned, best);
    return best;
  }

 private:
  Code nearest_vector(const float* weights, GroupParams params) const {
    const std::size_t n = grid().dimension;
    Code best = 0;
    float least = INFINITY;
    for (std::size_t code = 0; code < grid().levels(); ++code) {
      const float* entry = grid().codebook.data() + code * n;
      float distance = 0;
      for (std::size_t k = 0; k < n; ++k) {
        const float lost = weights[k] - params.scale * entry[k];
        distance += lost * lost;
      }
      if (distance < least) {
        least = distance;
        best = static_cast<Code>(code);
      }
    }
    return best;
  }

  double error(const GroupView& group, GroupParams params, std::vector<Code>& codes) const {
    codes.resize(group.weights.size() / grid().dimension);
    round(group.weights, params, codes);
    double sum = 0;
    std::array<float, kMaxDimension> values;
    const std::size_t n = grid().dimension;
    for (std::size_t i = 0; i < group.weights.size(); i += n) {
      grid().values(codes[i / n], params, values.data());
      for (std::size_t k = 0; k < n; ++k) {
        const double lost = static_cast<double>(group.weights[i + k]) - values[k];
        sum += lost * lost * (group.importance.empty() ? 1.0 : group.importance[i + k]);
      }
    }
    return sum;
  }

  // The same of one weight to a code, all weights beside each other: each middle that a weight is
  // above adds the step between its neighbours.
  double error_of_singles(const GroupView& group, float scale) const {
    const std::size_t count = group.weights.size();
    std::vector<float> units(count), nearest(count, grid().codebook[0]);
    for (std::size_t i = 0; i < count; ++i) units[i] = group.weights[i] / scale;
    for (std::size_t m = 0; m < middles_.size(); ++m) {
      const float middle = middles_[m], step = grid().codebook[m + 1] - grid().codebook[m];
      for (std::size_t i = 0; i < count; ++i) nearest[i] += units[i] > middle ? step : 0.0f;
    }
    float sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const float lost = (units[i] - nearest[i]) * scale;
      sum += lost * lost * (group.importance.empty() ? 1.0f : group.importance[i]);
    }
    return sum;
  }

  void search(const GroupView& group, float upright, float turned, GroupParams& best) const {
    std::vector<Code> codes;
    const auto error_of = [&](GroupParams params) {
      return middles_.empty() ? error(group, params, codes) : error_of_singles(group, params.scale);
    };
    double least = error_of(best);
    const auto keep_better = [&](GroupParams params) {
      const double e = error_of(params);
      if (!(e < least)) return false;
      least = e;
      best = params;
      return true;
    };
    const float shortest = grid().bits_per_weight() >= 4 ? 0.6f : 0.4f;
    for (int step = 0; step <= kSteps; ++step) {
      const float factor = shortest + (1.1f - shortest) * static_cast<float>(step) / kSteps;
      keep_better({stored_scale(upright * factor), 0});
      keep_better({stored_scale(-turned * factor), 0});
    }
    for (int turn = 0; turn < 4; ++turn) {
      codes.resize(group.weights.size() / grid().dimension);
      round(group.weights, best, codes);
      if (!keep_better(refit(group, codes, best))) break;
    }
  }

  ScaleSearch search_;
  bool has_zero_ = false;
  float low_ = 0, high_ = 0;    // of the codebook
  std::vector<float> middles_;  // between neighbours, of dimension 1
};

}  // namespace

std::unique_ptr<Rounder> codebook_rounder(const Grid& grid, const Storable& storable,
                                          ScaleSearch search) {
  return std::make_unique<CodebookRounder>(grid, storable, search);
}

}  // namespace nibble
