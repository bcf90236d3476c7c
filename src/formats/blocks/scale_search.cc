// The search for scales, and for scales with a minimum.
#include "formats/blocks/scale_search.h"

#include <algorithm>
#include <cmath>

#include "tensor/half.h"

namespace nibble::block_formats {
namespace {

// Few levels gain from clipping the largest weights much further than many do.
float shortest_reach(int levels) {
  if (levels <= 4) return 0.35f;
  if (levels <= 8) return 0.45f;
  if (levels <= 16) return 0.6f;
  return levels <= 64 ? 0.8f : 0.94f;
}

// Scales of one sign to look at, at most twice as many: the more levels, the closer together lie
// scales that suit all weights.
float fewest_candidates(int levels) { return levels <= 64 ? 8 : 14; }

// The level of largest magnitude.
template <typename Levels>
float end_of(const Levels& levels) {
  return static_cast<float>(-levels.lowest >= levels.highest ? levels.lowest : levels.highest);
}

// The peak at every level it may have, and in between: steps of a power of two.
template <typename Levels>
std::vector<float> multiples_of(const Levels& levels) {
  const float reach = std::fabs(end_of(levels)), first = std::floor(0.9f * reach);
  const float last = std::ceil(reach / shortest_reach(levels.count()));
  const float step =
      std::exp2(std::floor(std::log2((last - first) / fewest_candidates(levels.count()))));
  std::vector<float> multiples;
  for (float level = first; level <= last; level += step) multiples.push_back(level);
  return multiples;
}

// The whole may shrink from either end.
std::vector<Interval> intervals_of(int highest) {
  constexpr int kLengths = 9;
  const float shortest = shortest_reach(highest + 1);
  std::vector<Interval> intervals;
  for (int i = 0; i < kLengths; ++i) {
    const float length = shortest + (1.05f - shortest) * static_cast<float>(i) / (kLengths - 1);
    for (const float share : {0.0f, 0.25f, 0.5f, 0.75f, 1.0f})
      intervals.push_back({share * (1 - length), length});
  }
  return intervals;
}

struct Ends {
  OfGroups low, high;
};
Ends ends_of(const Groups& groups) {
  Ends ends{groups.weights[0], groups.weights[0]};
  for (std::size_t i = 1; i < groups.size; ++i)
    for (std::size_t g = 0; g < kAside; ++g) {
      const float weight = groups.weights[i][g];
      ends.low[g] = weight < ends.low[g] ? weight : ends.low[g];
      ends.high[g] = ends.high[g] < weight ? weight : ends.high[g];
    }
  return ends;
}

// The weight of largest magnitude.
OfGroups peaks_of(const Groups& groups) {
  const Ends ends = ends_of(groups);
  OfGroups peaks;
  for (std::size_t g = 0; g < kAside; ++g)
    peaks[g] = -ends.low[g] > ends.high[g] ? ends.low[g] : ends.high[g];
  return peaks;
}

// The line of least squares for the codes that these are the sums of; where there is none it stays.
void refit(const CodeSums& sums, std::size_t g, bool free, float& scale, float& minimum) {
  const float determinant = sums.all[g] * sums.second[g] - sums.first[g] * sums.first[g];
  if (!(determinant > 0)) return;
  scale = (sums.all[g] * sums.product[g] - sums.first[g] * sums.value[g]) / determinant;
  minimum = (sums.second[g] * sums.value[g] - sums.first[g] * sums.product[g]) / determinant;
  if (free || minimum <= 0) return;
  scale = sums.product[g] / sums.second[g];
  minimum = 0;
}

// Of three candidates the first that loses least.
std::size_t best_of(const std::array<OfGroups, 3>& lost, std::size_t g) {
  const std::size_t best = lost[1][g] < lost[0][g] ? 1 : 0;
  return lost[2][g] < lost[best][g] ? 2 : best;
}

}  // namespace

float stored(float value) {
  return half_to_float(float_to_half(std::clamp(value, -65504.0f, 65504.0f)));
}

template <typename Levels>
ScaleSearch<Levels>::ScaleSearch(const Levels& levels)
    : levels_(levels), multiples_(multiples_of(levels)) {}

template <typename Levels>
ScaleFits ScaleSearch<Levels>::fit(const Groups& groups) const {
  return best_fits(groups, levels_, peaks_of(groups), multiples_);
}

template <typename Levels>
OfGroups ScaleSearch<Levels>::fit_stored(const Groups& groups) const {
  const OfGroups peaks = peaks_of(groups);
  const ScaleFits fit = best_fits(groups, levels_, peaks, multiples_);
  // As it is stored, and once more for the codes that it gives.
  const LevelSums sums = level_sums(groups, levels_, fit.scale);
  std::array<OfGroups, 3> scales, lost;
  for (std::size_t g = 0; g < kAside; ++g) {
    scales[0][g] = stored(peaks[g] / end_of(levels_));
    scales[1][g] = stored(fit.scale[g]);
    scales[2][g] = sums.square[g] > 0 ? stored(sums.product[g] / sums.square[g]) : scales[1][g];
  }
  measure(groups, levels_, scales, lost.data());
  OfGroups best;
  for (std::size_t g = 0; g < kAside; ++g) best[g] = scales[best_of(lost, g)][g];
  return best;
}

LineSearch::LineSearch(int highest, Minimum minimum)
    : highest_(highest), minimum_(minimum), intervals_(intervals_of(highest)) {}

Lines LineSearch::whole(const Groups& groups) const {
  const Ends ends = ends_of(groups);
  Lines whole{ends.high, ends.low};
  for (std::size_t g = 0; g < kAside; ++g) {
    if (minimum_ == Minimum::kNotPositive) {
      whole.scale[g] = std::max(whole.scale[g], 0.0f);
      whole.minimum[g] = std::min(whole.minimum[g], 0.0f);
    }
    whole.scale[g] -= whole.minimum[g];
  }
  return whole;
}

Lines LineSearch::fit(const Groups& groups) const {
  return best_fits(groups, highest_, minimum_ == Minimum::kFree, whole(groups), intervals_);
}

Lines LineSearch::fit_stored(const Groups& groups) const {
  const bool free = minimum_ == Minimum::kFree;
  const Lines all = whole(groups);
  const Lines fit = best_fits(groups, highest_, free, all, intervals_);
  const CodeSums sums = code_sums(groups, highest_, fit);
  std::array<Lines, 3> lines;
  std::array<OfGroups, 3> lost;
  for (std::size_t g = 0; g < kAside; ++g) {
    lines[0].scale[g] = stored(all.scale[g] / static_cast<float>(highest_));
    lines[0].minimum[g] = stored(all.minimum[g]);
    lines[1].scale[g] = stored(fit.scale[g]);
    lines[1].minimum[g] = stored(fit.minimum[g]);
    float scale = fit.scale[g], minimum = fit.minimum[g];
    refit(sums, g, free, scale, minimum);
    lines[2].scale[g] = stored(scale);
    lines[2].minimum[g] = stored(minimum);
  }
  measure(groups, highest_, lines, lost.data());
  Lines best;
  for (std::size_t g = 0; g < kAside; ++g) {
    best.scale[g] = lines[best_of(lost, g)].scale[g];
    best.minimum[g] = lines[best_of(lost, g)].minimum[g];
  }
  return best;
}

template class ScaleSearch<EvenLevels>;
template class ScaleSearch<UnevenLevels>;

}  // namespace nibble::block_formats
