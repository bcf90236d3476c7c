// Rounding to grids with a codebook, of one weight or several to a code: scales by a search around
// the one that brings the largest weight onto the largest entry.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "quantize/layer/rounders.h"

namespace nibble {
namespace {

// Beyond so many a search by halves is faster than a comparison with each.
constexpr std::size_t kFewMiddles = 32;

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
    mirrored_ = is_mirrored(grid.codebook.first(grid.used_levels() * grid.dimension));
    if (grid.dimension != 1) return;
    for (std::size_t code = 0; code + 1 < grid.used_levels(); ++code) {
      const float middle = (grid.codebook[code] + grid.codebook[code + 1]) / 2;
      middles_.push_back(grid.even_ties && tie_rises(code) ? std::nextafter(middle, -INFINITY)
                                                           : middle);
    }
  }

  bool free_zero() const override { return false; }
  float stored_zero(float) const override { return 0; }

  Code nearest(const float* weights, GroupParams params) const override {
    if (!middles_.empty()) {
      const float unit = *weights / params.scale;
      if (middles_.size() > kFewMiddles)
        return static_cast<Code>(std::lower_bound(middles_.begin(), middles_.end(), unit) -
                                 middles_.begin());
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
    // Without a 0 of its own the codebook comes near it by its scale; scales of floats may be
    // shared or stored together, where a 1 would be the largest by far.
    if (low == 0 && high == 0) return {has_zero_ && !grid().even_ties ? 1 : stored_scale(0), 0};
    // The scale that reaches both ends, whichever way the codebook is turned.
    const float upright = std::max(low_ < 0 ? low / low_ : 0, high_ > 0 ? high / high_ : 0);
    const float turned = std::max(high_ > 0 ? low / -high_ : 0, low_ < 0 ? high / -low_ : 0);
    GroupParams best{stored_scale(low_ != -high_ && turned < upright ? -turned : upright), 0};
    if (search_ == ScaleSearch::kAbsMax) return best;
    const GroupView view{
        group.weights, search_ == ScaleSearch::kMse ? std::span<const float>() : group.importance};
    search(view, upright, turned, best);
    return best;
  }

 private:
  // Negative scales then give nothing that positive ones do not.
  static bool is_mirrored(std::span<const float> codebook) {
    return std::equal(codebook.begin(), codebook.end(), codebook.rbegin(),
                      [](float a, float b) { return a == -b; });
  }

  // Is the upper of two neighbours the one with an even mantissa? Floats count theirs from 0 on, in
  // either direction.
  bool tie_rises(std::size_t code) const {
    const auto book = grid().codebook.first(grid().used_levels());
    const auto zero =
        static_cast<std::size_t>(std::upper_bound(book.begin(), book.end(), 0.0f) - book.begin()) -
        1;
    if (code + 1 == zero) return true;  // from −0 to 0
    return code >= zero ? (code + 1 - zero) % 2 == 0 : (zero - 1 - code) % 2 == 1;
  }

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
    const bool few = middles_.size() <= kFewMiddles;
    if (!few)
      for (std::size_t i = 0; i < count; ++i)
        nearest[i] = grid().codebook[CodebookRounder::nearest(&group.weights[i], {scale, 0})];
    for (std::size_t m = 0; few && m < middles_.size(); ++m) {
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
    // Of many levels clipping gains nothing, and floats of as many lose the same at every scale.
    const float shortest = grid().bits > 6 ? 0.9f : grid().bits_per_weight() >= 4 ? 0.6f : 0.4f;
    const float longest = storable().scale_type == DType::kF8E8M0 ? 2.0f : 1.1f;
    const int steps = grid().bits > 6 ? 6 : 24;
    for (int step = 0; step <= steps; ++step) {
      const float factor =
          shortest + (longest - shortest) * static_cast<float>(step) / static_cast<float>(steps);
      keep_better({stored_scale(upright * factor), 0});
      if (!mirrored_) keep_better({stored_scale(-turned * factor), 0});
    }
    for (int turn = 0; turn < 4; ++turn) {
      codes.resize(group.weights.size() / grid().dimension);
      round(group.weights, best, codes);
      if (!keep_better(refit(group, codes, best))) break;
    }
  }

  ScaleSearch search_;
  bool has_zero_ = false, mirrored_ = false;
  float low_ = 0, high_ = 0;    // of the codebook
  std::vector<float> middles_;  // between neighbours, of dimension 1
};

}  // namespace

std::unique_ptr<Rounder> codebook_rounder(const Grid& grid, const Storable& storable,
                                          ScaleSearch search) {
  return std::make_unique<CodebookRounder>(grid, storable, search);
}

}  // namespace nibble
