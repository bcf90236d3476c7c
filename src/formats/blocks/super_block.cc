// Groups are fitted on their own, their scales are rounded together, and then each group looks
// again, under the rounded scales, for the integers that lose least.
#include "formats/blocks/super_block.h"

#include <cmath>

namespace nibble::block_formats {
namespace {

constexpr std::size_t kTurns = 2;

// The lanes of one super-block's groups.
struct Part {
  std::size_t begin, end;
};
std::size_t supers_of(const Groups& groups) { return kAside * groups.size / kSuperBlock; }
Part part_of(const Groups& groups, std::size_t super) {
  const std::size_t count = kSuperBlock / groups.size;
  return {super * count, (super + 1) * count};
}

void fill(OfGroups& all, Part part, float value) {
  for (std::size_t g = part.begin; g < part.end; ++g) all[g] = value;
}

// Units of the groups' scales: of least squares, and those that give the largest scale the last
// integer.
template <std::size_t kStarts>
std::array<float, kStarts> starts(const OfGroups& wanted, const OfGroups& shares, Part part,
                                  EvenLevels allowed) {
  // Each lane tries another unit on the same scales.
  Groups scales;
  scales.size = part.end - part.begin;
  float peak = 0;
  for (std::size_t i = 0; i < scales.size; ++i) {
    const float scale = wanted[part.begin + i];
    scales.weights[i].fill(scale);
    scales.importance[i].fill(shares[part.begin + i]);
    if (std::fabs(scale) > std::fabs(peak)) peak = scale;
  }
  const auto end = static_cast<float>(allowed.highest);
  const bool signs = allowed.lowest < 0;
  const float between = end > 40 ? 1 : 0.5f;
  OfGroups units;
  for (std::size_t k = 0; k < kAside; ++k) {
    const float integer = end + 1 - static_cast<float>(signs ? k / 2 : k) * between;
    units[k] = (signs && k % 2 == 1 ? -peak : peak) / integer;
  }
  const LevelSums sums = level_sums(scales, allowed, units);
  std::array<float, kStarts> list{};
  float most = 0;
  for (std::size_t k = 0; k < kAside; ++k) {
    const float unit = sums.product[k] / sums.square[k], gain = unit * sums.product[k];
    if (!(gain > most)) continue;
    most = gain;
    list[0] = stored(unit);
  }
  // Where float16 has few digits left, rounding down would clip the largest: the next one, too.
  for (std::size_t s = 1; s < kStarts; ++s)
    list[s] = stored(peak / end + std::copysign(static_cast<float>(s - 1) * 0x1p-24f, peak));
  return list;
}

// weight ≈ unit · step · level
template <typename Levels>
class ScaleFit {
 public:
  static constexpr std::size_t kStarts = 3;
  struct State {
    OfGroups unit{};
    Steps chosen;
    void take(const State& other, std::size_t g) {
      unit[g] = other.unit[g];
      chosen.step[g] = other.chosen.step[g];
    }
  };

  ScaleFit(const Groups& groups, const ScaleSearch<Levels>& search, EvenLevels allowed)
      : groups_(groups), levels_(search.levels()), allowed_(allowed), wanted_(search.fit(groups)) {
    for (std::size_t b = 0; b < supers_of(groups); ++b)
      starts_[b] = starts<kStarts>(wanted_.scale, wanted_.curvature, part_of(groups, b), allowed);
  }

  void start(std::size_t s, State& state) const {
    for (std::size_t b = 0; b < supers_of(groups_); ++b)
      fill(state.unit, part_of(groups_, b), starts_[b][s]);
  }

  void choose(State& state) const {
    state.chosen = choose_steps(groups_, levels_, allowed_, wanted_.scale, state.unit);
  }

  // The units of least squares for the chosen steps and levels; where there is none it stays.
  void refit(State& state) const {
    const OfGroups& step = state.chosen.step;
    OfGroups scales;
    for (std::size_t g = 0; g < kAside; ++g) scales[g] = state.unit[g] * step[g];
    const LevelSums sums = level_sums(groups_, levels_, scales);
    for (std::size_t b = 0; b < supers_of(groups_); ++b) {
      const Part part = part_of(groups_, b);
      float product = 0, square = 0;
      for (std::size_t g = part.begin; g < part.end; ++g) {
        product += step[g] * sums.product[g];
        square += step[g] * step[g] * sums.square[g];
      }
      if (square > 0) fill(state.unit, part, stored(product / square));
    }
  }

 private:
  const Groups& groups_;
  Levels levels_;
  EvenLevels allowed_;
  ScaleFits wanted_;
  std::array<std::array<float, kStarts>, kMostSupers> starts_;
};

// weight ≈ unit.scale · step · code − unit.minimum · shift
class LineFit {
 public:
  static constexpr std::size_t kStarts = 2;
  struct State {
    Lines unit;
    LineSteps chosen;
    void take(const State& other, std::size_t g) {
      unit.scale[g] = other.unit.scale[g];
      unit.minimum[g] = other.unit.minimum[g];
      chosen.step[g] = other.chosen.step[g];
      chosen.shift[g] = other.chosen.shift[g];
    }
  };

  LineFit(const Groups& groups, const LineSearch& search, EvenLevels allowed)
      : groups_(groups),
        highest_(search.highest()),
        allowed_(allowed),
        wanted_(search.fit(groups)) {
    const CodeSums sums = code_sums(groups, highest_, wanted_);
    OfGroups minimums;
    for (std::size_t g = 0; g < kAside; ++g) minimums[g] = -wanted_.minimum[g];
    for (std::size_t b = 0; b < supers_of(groups); ++b) {
      scales_[b] = starts<kStarts>(wanted_.scale, sums.second, part_of(groups, b), allowed);
      minimums_[b] = starts<kStarts>(minimums, sums.all, part_of(groups, b), allowed);
    }
  }

  void start(std::size_t s, State& state) const {
    for (std::size_t b = 0; b < supers_of(groups_); ++b) {
      fill(state.unit.scale, part_of(groups_, b), scales_[b][s]);
      fill(state.unit.minimum, part_of(groups_, b), minimums_[b][s]);
    }
  }

  void choose(State& state) const {
    state.chosen = choose_steps(groups_, highest_, allowed_, wanted_, state.unit);
  }

  // The normal equations of weight ≈ scale · a + minimum · b, a = step · code and b = −shift.
  void refit(State& state) const {
    Lines lines;
    for (std::size_t g = 0; g < kAside; ++g) {
      lines.scale[g] = state.unit.scale[g] * state.chosen.step[g];
      lines.minimum[g] = -state.unit.minimum[g] * state.chosen.shift[g];
    }
    const CodeSums sums = code_sums(groups_, highest_, lines);
    for (std::size_t b = 0; b < supers_of(groups_); ++b) {
      const Part part = part_of(groups_, b);
      float aa = 0, ab = 0, bb = 0, aw = 0, bw = 0;
      for (std::size_t g = part.begin; g < part.end; ++g) {
        const float step = state.chosen.step[g], shift = state.chosen.shift[g];
        aa += step * step * sums.second[g];
        ab -= step * shift * sums.first[g];
        bb += shift * shift * sums.all[g];
        aw += step * sums.product[g];
        bw -= shift * sums.value[g];
      }
      const float determinant = aa * bb - ab * ab;
      if (!(determinant > 0)) continue;
      fill(state.unit.scale, part, stored((bb * aw - ab * bw) / determinant));
      fill(state.unit.minimum, part, stored((aa * bw - ab * aw) / determinant));
    }
  }

 private:
  const Groups& groups_;
  int highest_;
  EvenLevels allowed_;
  Lines wanted_;
  std::array<std::array<float, kStarts>, kMostSupers> scales_, minimums_;
};

// From every start a few turns of integers for fixed units and units for fixed integers: what is
// best for the groups' scales need not be best for the weights.
template <typename Fit>
typename Fit::State best_of(const Groups& groups, const Fit& fit) {
  typename Fit::State best, state;
  std::array<float, kMostSupers> least;
  least.fill(-1);
  for (std::size_t s = 0; s < Fit::kStarts; ++s) {
    fit.start(s, state);
    for (std::size_t turn = 0; turn < kTurns; ++turn) {
      if (turn > 0) fit.refit(state);
      fit.choose(state);
      for (std::size_t b = 0; b < supers_of(groups); ++b) {
        const Part part = part_of(groups, b);
        float lost = 0;
        for (std::size_t g = part.begin; g < part.end; ++g) lost += state.chosen.lost[g];
        if (least[b] >= 0 && !(lost < least[b])) continue;
        least[b] = lost;
        for (std::size_t g = part.begin; g < part.end; ++g) best.take(state, g);
      }
    }
  }
  return best;
}

}  // namespace

template <typename Levels>
std::array<SuperScale, kMostSupers> fit_super_scales(const Groups& groups,
                                                     const ScaleSearch<Levels>& search,
                                                     EvenLevels allowed) {
  const auto best = best_of(groups, ScaleFit<Levels>(groups, search, allowed));
  std::array<SuperScale, kMostSupers> supers;
  for (std::size_t b = 0; b < supers_of(groups); ++b) {
    const Part part = part_of(groups, b);
    supers[b].scale = best.unit[part.begin];
    for (std::size_t g = part.begin; g < part.end; ++g)
      supers[b].steps[g - part.begin] = static_cast<int>(best.chosen.step[g]);
  }
  return supers;
}

std::array<SuperLine, kMostSupers> fit_super_lines(const Groups& groups, const LineSearch& search,
                                                   EvenLevels allowed) {
  const auto best = best_of(groups, LineFit(groups, search, allowed));
  std::array<SuperLine, kMostSupers> supers;
  for (std::size_t b = 0; b < supers_of(groups); ++b) {
    const Part part = part_of(groups, b);
    supers[b].scale = best.unit.scale[part.begin];
    supers[b].minimum = best.unit.minimum[part.begin];
    for (std::size_t g = part.begin; g < part.end; ++g) {
      supers[b].steps[g - part.begin] = static_cast<int>(best.chosen.step[g]);
      supers[b].shifts[g - part.begin] = static_cast<int>(best.chosen.shift[g]);
    }
  }
  return supers;
}

template std::array<SuperScale, kMostSupers> fit_super_scales(const Groups&,
                                                              const ScaleSearch<EvenLevels>&,
                                                              EvenLevels);
template std::array<SuperScale, kMostSupers> fit_super_scales(const Groups&,
                                                              const ScaleSearch<UnevenLevels>&,
                                                              EvenLevels);

}  // namespace nibble::block_formats
