// The search for scales, and for scales with a minimum.
#include "formats/blocks/scale_search.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

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

int count_of(const EvenLevels& levels) { return levels.highest - levels.lowest + 1; }
int count_of(const UnevenLevels&) { return 16; }

// The scale of least squares for the levels nearest at `scale`; not a number where there is none.
template <typename Levels>
float refit(Group group, const Levels& levels, float scale) {
  const float steps = inverse(scale);
  float product = 0, square = 0;
  for (int i = 0; i < group.size; ++i) {
    const float level = levels.nearest(group.weights[i] * steps);
    product += group.importance[i] * group.weights[i] * level;
    square += group.importance[i] * level * level;
  }
  return product / square;
}

Line refit(Group group, int highest, Line line, Minimum minimum) {
  const EvenLevels levels{0, highest};
  const float steps = inverse(line.scale);
  float all = 0, first = 0, second = 0, value = 0, product = 0;
  for (int i = 0; i < group.size; ++i) {
    const float weight = group.weights[i], share = group.importance[i];
    const float code = levels.nearest((weight - line.minimum) * steps);
    all += share;
    first += share * code;
    second += share * code * code;
    value += share * weight;
    product += share * weight * code;
  }
  const float determinant = all * second - first * first;
  Line best{(all * product - first * value) / determinant,
            (second * value - first * product) / determinant};
  if (minimum == Minimum::kNotPositive && !(best.minimum <= 0)) best = {product / second, 0};
  return best;
}

// Least squares for the codes of the best one so far, as long as that loses less.
template <typename Candidate, typename Next, typename Measure>
Candidate improved(Candidate best, float best_error, int turns, Next next, Measure losses) {
  for (int turn = 0; turn < turns; ++turn) {
    Candidates<Candidate> one;
    one.add(next(best));
    losses(one);
    if (!(one.lost(0) < best_error)) break;
    best = one[0];
    best_error = one.lost(0);
  }
  return best;
}

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

template <typename Levels>
float fit_scale(Group group, const Levels& levels, Storage storage) {
  float peak = 0;
  for (int i = 0; i < group.size; ++i)
    if (std::fabs(group.weights[i]) > std::fabs(peak)) peak = group.weights[i];
  if (peak == 0) return 0;
  const int end = -levels.lowest >= levels.highest ? levels.lowest : levels.highest;
  const float start = peak / static_cast<float>(end);
  Candidates<float> scales;
  scales.add(stored(start, storage));
  // The peak at every level it may have, and in between: steps of a power of two.
  const auto reach = static_cast<float>(std::abs(end));
  const float first = std::floor(0.9f * reach);
  const float last = std::ceil(reach / shortest_reach(count_of(levels)));
  const float step = std::exp2(std::floor(std::log2((last - first) / 20)));
  for (float level = first; level <= last; level += step) {
    scales.add(stored(peak / level, storage));
    if (levels.lowest < 0) scales.add(stored(-peak / level, storage));
  }
  measure(group, levels, scales);
  const std::size_t found = scales.best(0, scales.size());
  return improved(
      scales[found], scales.lost(found), 4,
      [&](float scale) { return stored(refit(group, levels, scale), storage); },
      [&](Candidates<float>& one) { measure(group, levels, one); });
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
  Candidates<Line> lines;
  lines.add(rounded({high / last - low / last, low}));
  // The interval may shrink from either end.
  constexpr int kCandidates = 10;
  const float shortest = shortest_reach(highest + 1);
  const float width = high - low;
  for (int i = 0; i <= kCandidates; ++i) {
    const float factor = shortest + (1.05f - shortest) * static_cast<float>(i) / kCandidates;
    for (const float share : {0.0f, 0.25f, 0.5f, 0.75f, 1.0f}) {
      const float start = low + share * (1 - factor) * width;
      if (minimum == Minimum::kNotPositive && start > 0) continue;
      lines.add(rounded({factor * width / last, start}));
    }
  }
  measure(group, highest, lines);
  const std::size_t found = lines.best(0, lines.size());
  return improved(
      lines[found], lines.lost(found), 6,
      [&](Line line) { return rounded(refit(group, highest, line, minimum)); },
      [&](Candidates<Line>& one) { measure(group, highest, one); });
}

template float fit_scale(Group, const EvenLevels&, Storage);
template float fit_scale(Group, const UnevenLevels&, Storage);

}  // namespace nibble::block_formats
