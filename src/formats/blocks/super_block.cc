// Groups are fitted on their own, their scales are rounded together, and then each group looks
// again, under the rounded scales, for the integers that lose least.
#include "formats/blocks/super_block.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace nibble::block_formats {
namespace {

constexpr int kTurns = 3;
constexpr std::size_t kStarts = 4;

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
std::array<float, kStarts> starts(Group scales, EvenLevels allowed) {
  float peak = 0;
  for (int i = 0; i < scales.size; ++i)
    if (std::fabs(scales.weights[i]) > std::fabs(peak)) peak = scales.weights[i];
  std::array<float, kStarts> list{fit_scale(scales, allowed, Storage::kHalf)};
  auto end = static_cast<float>(allowed.highest);
  for (std::size_t i = 1; i < kStarts; ++i) list[i] = stored(peak / end--, Storage::kHalf);
  return list;
}

// Chooses every group's step for the given scale; returns what is lost.
template <typename Levels>
float choose_steps(Group block, int group_size, const Levels& levels, EvenLevels allowed,
                   const std::array<float, 16>& wanted, SuperScale& super) {
  float total = 0;
  for (int group = 0; group * group_size < block.size; ++group) {
    const auto g = static_cast<std::size_t>(group);
    const Group part = block.part(group * group_size, group_size);
    const Neighbours near = neighbours(wanted[g], super.scale, allowed, 3);
    float best = 0;
    for (int step = near.first; step <= near.last; ++step) {
      const float lost = error(part, levels, super.scale * static_cast<float>(step));
      if (step != near.first && !(lost < best)) continue;
      best = lost;
      super.steps[g] = step;
    }
    total += best;
  }
  return total;
}

float choose_lines(Group block, int group_size, int highest, EvenLevels allowed,
                   const std::array<Line, 16>& wanted, SuperLine& super) {
  float total = 0;
  for (int group = 0; group * group_size < block.size; ++group) {
    const auto g = static_cast<std::size_t>(group);
    const Group part = block.part(group * group_size, group_size);
    const Neighbours steps = neighbours(wanted[g].scale, super.scale, allowed, 1);
    const Neighbours shifts = neighbours(-wanted[g].minimum, super.minimum, allowed, 1);
    float best = -1;
    int best_step = 0, best_shift = 0;
    for (int step = steps.first; step <= steps.last; ++step) {
      for (int shift = shifts.first; shift <= shifts.last; ++shift) {
        const float lost = error(
            part, highest,
            {super.scale * static_cast<float>(step), -super.minimum * static_cast<float>(shift)});
        if (best >= 0 && !(lost < best)) continue;
        best = lost;
        best_step = step;
        best_shift = shift;
      }
    }
    super.steps[g] = best_step;
    super.shifts[g] = best_shift;
    total += best;
  }
  return total;
}

// The scale of least squares for fixed steps and levels; false where there is none.
template <typename Levels>
bool refit(Group block, int group_size, const Levels& levels, SuperScale& super) {
  float product = 0, square = 0;
  for (int i = 0; i < block.size; ++i) {
    const auto step = static_cast<float>(super.steps[static_cast<std::size_t>(i / group_size)]);
    const float level = step * levels.nearest(block.weights[i] * inverse(super.scale * step));
    product += block.importance[i] * level * block.weights[i];
    square += block.importance[i] * level * level;
  }
  if (!(square > 0)) return false;
  super.scale = stored(product / square, Storage::kHalf);
  return true;
}

bool refit(Group block, int group_size, int highest, SuperLine& super) {
  const EvenLevels levels{0, highest};
  float aa = 0, ab = 0, bb = 0, aw = 0, bw = 0;  // a: of the scale, b: of the minimum, w: weight
  for (int i = 0; i < block.size; ++i) {
    const auto g = static_cast<std::size_t>(i / group_size);
    const Line line = super.line(i / group_size);
    const float weight = block.weights[i], share = block.importance[i];
    const float a = static_cast<float>(super.steps[g]) *
                    levels.nearest((weight - line.minimum) * inverse(line.scale));
    const float b = -static_cast<float>(super.shifts[g]);
    aa += share * a * a;
    ab += share * a * b;
    bb += share * b * b;
    aw += share * a * weight;
    bw += share * b * weight;
  }
  const float determinant = aa * bb - ab * ab;
  if (!(determinant > 0)) return false;
  super.scale = stored((bb * aw - ab * bw) / determinant, Storage::kHalf);
  super.minimum = stored((aa * bw - ab * aw) / determinant, Storage::kHalf);
  return true;
}

// From every start a few turns of integers for fixed scales and scales for fixed integers: what is
// best for the groups' scales need not be best for the weights.
template <typename Super, typename Choose, typename Refit>
Super best_of(const std::array<Super, kStarts>& starts, Choose choose, Refit refit) {
  Super best;
  float best_error = -1;
  for (Super super : starts) {
    for (int turn = 0; turn < kTurns; ++turn) {
      if (turn > 0 && !refit(super)) break;
      const float lost = choose(super);
      if (best_error < 0 || lost < best_error) {
        best = super;
        best_error = lost;
      } else if (turn > 0) {
        break;
      }
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
    wanted[g] = fit_scale(part, levels, Storage::kFloat);
    const float steps = inverse(wanted[g]);
    for (int i = 0; i < group_size; ++i) {
      const float level = levels.nearest(part.weights[i] * steps);
      curvature[g] += part.importance[i] * level * level;
    }
  }
  const auto scales = starts({wanted.data(), curvature.data(), groups}, allowed);
  std::array<SuperScale, kStarts> first;
  for (std::size_t i = 0; i < kStarts; ++i) first[i].scale = scales[i];
  return best_of(
      first,
      [&](SuperScale& super) {
        return choose_steps(block, group_size, levels, allowed, wanted, super);
      },
      [&](SuperScale& super) { return refit(block, group_size, levels, super); });
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
  std::array<SuperLine, kStarts> first;
  for (std::size_t i = 0; i < kStarts; ++i) {
    first[i].scale = scale_starts[i];
    first[i].minimum = minimum_starts[i];
  }
  return best_of(
      first,
      [&](SuperLine& super) {
        return choose_lines(block, group_size, highest, allowed, wanted, super);
      },
      [&](SuperLine& super) { return refit(block, group_size, highest, super); });
}

template SuperScale fit_super_scale(Group, int, const EvenLevels&, EvenLevels);
template SuperScale fit_super_scale(Group, int, const UnevenLevels&, EvenLevels);

}  // namespace nibble::block_formats
