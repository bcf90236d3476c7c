// The search for scales, and for scales with a minimum.
#include "formats/blocks/scale_search.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tensor/half.h"

namespace nibble::block_formats {
namespace {

constexpr int kIntervals = 8;

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

int count_of(const EvenLevels& levels) { return levels.highest - levels.lowest + 1; }
int count_of(const UnevenLevels&) { return 16; }

}  // namespace

Group group_at(const float* weights, const float* importance, std::size_t index, int size) {
  static constexpr auto kEqual = [] {
    std::array<float, 256> ones{};
    for (float& one : ones) one = 1;
    return ones;
  }();
  const std::size_t first = index * static_cast<std::size_t>(size);
  return {weights + first, importance != nullptr ? importance + first : kEqual.data(), size};
}

float stored(float value, Storage storage) {
  if (storage == Storage::kFloat) return value;
  return half_to_float(float_to_half(std::clamp(value, -65504.0f, 65504.0f)));
}

float peak_of(Group group) {
  constexpr int kLanes = 8;
  std::array<float, kLanes> low{}, high{};
  for (int i = 0; i < group.size; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      const float weight = group.weights[i + lane];
      const auto at = static_cast<std::size_t>(lane);
      low[at] = weight < low[at] ? weight : low[at];
      high[at] = high[at] < weight ? weight : high[at];
    }
  const float least = *std::min_element(low.begin(), low.end());
  const float most = *std::max_element(high.begin(), high.end());
  return -least > most ? least : most;
}

template <typename Levels>
ScaleFit fit_scale(Group group, const Levels& levels, Storage storage) {
  const float peak = peak_of(group);
  if (peak == 0) return {};
  const int end = -levels.lowest >= levels.highest ? levels.lowest : levels.highest;
  // The peak at every level it may have, and in between: steps of a power of two.
  const auto reach = static_cast<float>(std::abs(end));
  const float first = std::floor(0.9f * reach);
  const float last = std::ceil(reach / shortest_reach(count_of(levels)));
  const float step =
      std::exp2(std::floor(std::log2((last - first) / fewest_candidates(count_of(levels)))));
  Candidates<float> scales;
  for (float level = first; level <= last; level += step) {
    scales.add(peak / level);
    if (levels.lowest < 0) scales.add(-peak / level);
  }
  const ScaleFit fit = best_fit(group, levels, scales);
  // As it is stored, and once more for the codes that it gives.
  scales.clear();
  scales.add(stored(peak / static_cast<float>(end), storage));
  scales.add(stored(fit.scale, storage));
  Candidates<float> again;
  again.add(fit.scale);
  const ScaleFit second = best_fit(group, levels, again);
  scales.add(stored(second.scale, storage));
  measure(group, levels, scales);
  const std::size_t best = scales.best(0, scales.size());
  return {scales[best], best == 1 ? fit.curvature : second.curvature};
}

Line fit_line(Group group, int highest, Minimum minimum, Storage storage) {
  float low = group.weights[0], high = low;
  for (int i = 1; i < group.size; ++i) {
    low = std::min(low, group.weights[i]);
    high = std::max(high, group.weights[i]);
  }
  if (minimum == Minimum::kNotPositive) low = std::min(low, 0.0f), high = std::max(high, 0.0f);
  const auto rounded = [&](Line line) {
    return Line{stored(line.scale, storage), stored(line.minimum, storage)};
  };
  const auto last = static_cast<float>(highest);
  // The interval may shrink from either end.
  const float shortest = shortest_reach(highest + 1);
  const float width = high - low;
  const bool free = minimum == Minimum::kFree;
  const Line whole{high / last - low / last, low};
  Candidates<Line> lines;
  lines.add(whole);
  for (int i = 0; i <= kIntervals; ++i) {
    const float factor = shortest + (1.05f - shortest) * static_cast<float>(i) / kIntervals;
    for (const float share : {0.0f, 0.25f, 0.5f, 0.75f, 1.0f}) {
      const float start = low + share * (1 - factor) * width;
      if (free || start <= 0) lines.add({factor * width / last, start});
    }
  }
  const Line fit = best_fit(group, highest, free, lines);
  Candidates<Line> again, final;
  again.add(fit);
  final.add(rounded(whole));
  final.add(rounded(fit));
  final.add(rounded(best_fit(group, highest, free, again)));
  measure(group, highest, final);
  return final[final.best(0, final.size())];
}

template ScaleFit fit_scale(Group, const EvenLevels&, Storage);
template ScaleFit fit_scale(Group, const UnevenLevels&, Storage);

}  // namespace nibble::block_formats
