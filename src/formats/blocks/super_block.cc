// Groups are fitted on their own, their scales are rounded together, and then each group looks
// again, under the rounded scales, for the integers that lose least.
#include "formats/blocks/super_block.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace nibble::block_formats {
namespace {

constexpr int kTurns = 2;
constexpr int kReach = 1;  // integers to each side

// Integers around value / unit.
struct Neighbours {
  int first = 0;
  int last = 0;
};
Neighbours neighbours(float value, float unit, EvenLevels levels, int reach) {
  const int nearest = static_cast<int>(levels.nearest(value * inverse(unit)));
  return {std::max(nearest - reach, levels.lowest), std::min(nearest + reach, levels.highest)};
}

// Scales of the groups' scales: of least squares, and those that give the largest the last
// integers.
OfStarts starts(Group scales, EvenLevels allowed) {
  const float peak = peak_of(scales);
  OfStarts list{fit_scale(scales, allowed, Storage::kHalf).scale};
  auto end = static_cast<float>(allowed.highest);
  for (std::size_t i = 1; i < kStarts; ++i) list[i] = stored(peak / end--, Storage::kHalf);
  return list;
}

template <typename Super>
using Starts = std::array<Super, kStarts>;

// Chooses every group's step for the scale of each start; returns what is lost.
template <typename Levels>
OfStarts choose_steps(Group block, int group_size, const Levels& levels, EvenLevels allowed,
                      const std::array<float, 16>& wanted, Starts<SuperScale>& supers) {
  OfStarts total{};
  for (int group = 0; group * group_size < block.size; ++group) {
    const auto g = static_cast<std::size_t>(group);
    Candidates<float> scales;
    std::array<std::size_t, kStarts + 1> begin{};
    std::array<int, kStarts> first{};
    for (std::size_t s = 0; s < kStarts; ++s) {
      const Neighbours near = neighbours(wanted[g], supers[s].scale, allowed, kReach);
      first[s] = near.first;
      for (int step = near.first; step <= near.last; ++step)
        scales.add(supers[s].scale * static_cast<float>(step));
      begin[s + 1] = scales.size();
    }
    measure(block.part(group * group_size, group_size), levels, scales);
    for (std::size_t s = 0; s < kStarts; ++s) {
      const std::size_t best = scales.best(begin[s], begin[s + 1]);
      supers[s].steps[g] = first[s] + static_cast<int>(best - begin[s]);
      total[s] += scales.lost(best);
    }
  }
  return total;
}

OfStarts choose_lines(Group block, int group_size, int highest, EvenLevels allowed,
                      const std::array<Line, 16>& wanted, Starts<SuperLine>& supers) {
  OfStarts total{};
  for (int group = 0; group * group_size < block.size; ++group) {
    const auto g = static_cast<std::size_t>(group);
    Candidates<Line> lines;
    std::array<std::size_t, kStarts + 1> begin{};
    std::array<Neighbours, kStarts> steps{}, shifts{};
    for (std::size_t s = 0; s < kStarts; ++s) {
      const SuperLine& super = supers[s];
      steps[s] = neighbours(wanted[g].scale, super.scale, allowed, 1);
      shifts[s] = neighbours(-wanted[g].minimum, super.minimum, allowed, 1);
      for (int step = steps[s].first; step <= steps[s].last; ++step)
        for (int shift = shifts[s].first; shift <= shifts[s].last; ++shift)
          lines.add(
              {super.scale * static_cast<float>(step), -super.minimum * static_cast<float>(shift)});
      begin[s + 1] = lines.size();
    }
    measure(block.part(group * group_size, group_size), highest, lines);
    for (std::size_t s = 0; s < kStarts; ++s) {
      const std::size_t best = lines.best(begin[s], begin[s + 1]);
      const auto place = static_cast<int>(best - begin[s]);
      const int width = shifts[s].last - shifts[s].first + 1;
      supers[s].steps[g] = steps[s].first + place / width;
      supers[s].shifts[g] = shifts[s].first + place % width;
      total[s] += lines.lost(best);
    }
  }
  return total;
}

// The scales of least squares for fixed steps and levels; where there is none it stays.
template <typename Levels>
void refit(Group block, int group_size, const Levels& levels, Starts<SuperScale>& supers) {
  std::array<OfStarts, 16> steps{}, inverses{};
  for (std::size_t g = 0; g * static_cast<std::size_t>(group_size) < 256; ++g)
    for (std::size_t s = 0; s < kStarts; ++s) {
      steps[g][s] = static_cast<float>(supers[s].steps[g]);
      inverses[g][s] = inverse(supers[s].scale * steps[g][s]);
    }
  const ScaleSums sums = scale_sums(block, group_size, levels, steps.data(), inverses.data());
  for (std::size_t s = 0; s < kStarts; ++s)
    if (sums.square[s] > 0)
      supers[s].scale = stored(sums.product[s] / sums.square[s], Storage::kHalf);
}

void refit(Group block, int group_size, int highest, Starts<SuperLine>& supers) {
  std::array<OfStarts, 16> steps{}, inverses{}, shifts{}, minimums{};
  for (std::size_t g = 0; g * static_cast<std::size_t>(group_size) < 256; ++g)
    for (std::size_t s = 0; s < kStarts; ++s) {
      const Line line = supers[s].line(static_cast<int>(g));
      steps[g][s] = static_cast<float>(supers[s].steps[g]);
      shifts[g][s] = static_cast<float>(supers[s].shifts[g]);
      inverses[g][s] = inverse(line.scale);
      minimums[g][s] = line.minimum;
    }
  const LineSums sums = line_sums(block, group_size, highest, steps.data(), inverses.data(),
                                  shifts.data(), minimums.data());
  for (std::size_t s = 0; s < kStarts; ++s) {
    const float aa = sums.aa[s], ab = sums.ab[s], bb = sums.bb[s], aw = sums.aw[s], bw = sums.bw[s];
    const float determinant = aa * bb - ab * ab;
    if (!(determinant > 0)) continue;
    supers[s].scale = stored((bb * aw - ab * bw) / determinant, Storage::kHalf);
    supers[s].minimum = stored((aa * bw - ab * aw) / determinant, Storage::kHalf);
  }
}

// From every start a few turns of integers for fixed scales and scales for fixed integers: what is
// best for the groups' scales need not be best for the weights. All starts go side by side.
template <typename Super, typename Choose, typename Refit>
Super best_of(Starts<Super> supers, Choose choose, Refit refit_all) {
  Super best;
  float best_error = -1;
  for (int turn = 0; turn < kTurns; ++turn) {
    if (turn > 0) refit_all(supers);
    const OfStarts lost = choose(supers);
    for (std::size_t s = 0; s < kStarts; ++s)
      if (best_error < 0 || lost[s] < best_error) {
        best = supers[s];
        best_error = lost[s];
      }
  }
  return best;
}

}  // namespace

template <typename Levels>
SuperScale fit_super_scale(Group block, int group_size, const Levels& levels, EvenLevels allowed) {
  std::array<float, 16> wanted{}, curvature{};
  const int groups = block.size / group_size;
  for (int group = 0; group < groups; ++group) {
    const auto g = static_cast<std::size_t>(group);
    const Group part = block.part(group * group_size, group_size);
    const ScaleFit fit = fit_scale(part, levels, Storage::kFloat);
    wanted[g] = fit.scale;
    curvature[g] = fit.curvature;
  }
  const auto scales = starts({wanted.data(), curvature.data(), groups}, allowed);
  Starts<SuperScale> first;
  for (std::size_t i = 0; i < kStarts; ++i) first[i].scale = scales[i];
  return best_of(
      first,
      [&](Starts<SuperScale>& supers) {
        return choose_steps(block, group_size, levels, allowed, wanted, supers);
      },
      [&](Starts<SuperScale>& supers) { refit(block, group_size, levels, supers); });
}

SuperLine fit_super_line(Group block, int group_size, int highest, int highest_step) {
  const EvenLevels allowed{0, highest_step}, levels{0, highest};
  std::array<Line, 16> wanted{};
  std::array<float, 16> scales{}, minimums{}, curvature{}, shares{};
  const int groups = block.size / group_size;
  for (int group = 0; group < groups; ++group) {
    const auto g = static_cast<std::size_t>(group);
    const Group part = block.part(group * group_size, group_size);
    wanted[g] = fit_line(part, highest, Minimum::kNotPositive, Storage::kFloat);
    scales[g] = wanted[g].scale;
    minimums[g] = -wanted[g].minimum;
    const float steps = inverse(wanted[g].scale);
    for (int i = 0; i < group_size; ++i) {
      const float code = levels.nearest((part.weights[i] - wanted[g].minimum) * steps);
      curvature[g] += part.importance[i] * code * code;
      shares[g] += part.importance[i];
    }
  }
  const auto scale_starts = starts({scales.data(), curvature.data(), groups}, allowed);
  const auto minimum_starts = starts({minimums.data(), shares.data(), groups}, allowed);
  Starts<SuperLine> first;
  for (std::size_t i = 0; i < kStarts; ++i) {
    first[i].scale = scale_starts[i];
    first[i].minimum = minimum_starts[i];
  }
  return best_of(
      first,
      [&](Starts<SuperLine>& supers) {
        return choose_lines(block, group_size, highest, allowed, wanted, supers);
      },
      [&](Starts<SuperLine>& supers) { refit(block, group_size, highest, supers); });
}

template SuperScale fit_super_scale(Group, int, const EvenLevels&, EvenLevels);
template SuperScale fit_super_scale(Group, int, const UnevenLevels&, EvenLevels);

}  // namespace nibble::block_formats
