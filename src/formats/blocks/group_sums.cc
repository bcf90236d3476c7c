#include "formats/blocks/group_sums.h"

#include <limits>

#include "formats/blocks/wide.h"

namespace nibble::block_formats {
namespace {

template <std::size_t Width>  // groups together
struct Search : Wide<Width> {
  using W = Wide<Width>;
  using Floats = typename W::Floats;
  using W::load, W::store, W::nearest, W::inverse_of, W::inside;

  template <typename Levels>
  static NIBBLE_INLINE void fit(const Groups& groups, const Levels& levels, const OfGroups& unit,
                                std::span<const float> multiples, ScaleFits& best) {
    for (std::size_t at = 0; at < kAside; at += Width) {
      const Floats one = inverse_of(load(unit, at));
      ScaleFit kept;
      for (const float multiple : multiples) {
        const Floats steps = one * multiple;
        Floats product{}, square{}, other_product{}, other_square{};
        for (std::size_t i = 0; i < groups.size; ++i) {
          const Floats weight = load(groups.weights[i], at);
          const Floats importance = load(groups.importance[i], at);
          const Floats level = nearest(levels, weight * steps), share = importance * level;
          product += share * weight;
          square += share * level;
          if (levels.lowest == 0) continue;
          const Floats other = nearest(levels, weight * -steps), part = importance * other;
          other_product += part * weight;
          other_square += part * other;
        }
        kept.take(product, square);
        kept.take(other_product, other_square);
      }
      store(kept.scale, best.scale, at);
      store(kept.curvature, best.curvature, at);
    }
  }

  static NIBBLE_INLINE void fit(const Groups& groups, int highest, bool free, const Lines& whole,
                                std::span<const Interval> intervals, Lines& best) {
    for (std::size_t at = 0; at < kAside; at += Width) {
      const Floats width = load(whole.scale, at), lowest = load(whole.minimum, at);
      const Floats one = inverse_of(width) * static_cast<float>(highest);
      const Shares shares = shares_of(groups, at);
      Floats scale = width * (1 / static_cast<float>(highest)), minimum = lowest, gain{};
      for (const Interval& interval : intervals) {
        const Sums sums = sums_of(groups, highest, lowest + interval.start * width,
                                  one * (1 / interval.length), at);
        const Floats determinant = shares.all * sums.second - sums.first * sums.first;
        Floats a = (shares.all * sums.product - sums.first * shares.value) / determinant;
        Floats b = (sums.second * shares.value - sums.first * sums.product) / determinant;
        if (!free) {  // nor no number, where all codes are the same
          const auto held = b <= 0;
          a = held ? a : sums.product / sums.second;
          b = held ? b : Floats{};
        }
        const Floats gained = a * sums.product + b * shares.value;
        const auto better = gained > gain;
        scale = better ? a : scale;
        minimum = better ? b : minimum;
        gain = better ? gained : gain;
      }
      store(scale, best.scale, at);
      store(minimum, best.minimum, at);
    }
  }

  template <typename Levels>
  static NIBBLE_INLINE void errors(const Groups& groups, const Levels& levels,
                                   std::span<const OfGroups> scales, OfGroups* lost) {
    for (std::size_t at = 0; at < kAside; at += Width)
      for (std::size_t c = 0; c < scales.size(); ++c)
        store(error_of(groups, levels, load(scales[c], at), Floats{}, at), lost[c], at);
  }

  static NIBBLE_INLINE void errors(const Groups& groups, int highest, std::span<const Lines> lines,
                                   OfGroups* lost) {
    const EvenLevels levels{0, highest};
    for (std::size_t at = 0; at < kAside; at += Width)
      for (std::size_t c = 0; c < lines.size(); ++c) {
        const Floats scale = load(lines[c].scale, at), minimum = load(lines[c].minimum, at);
        store(error_of(groups, levels, scale, minimum, at), lost[c], at);
      }
  }

  template <typename Levels>
  static NIBBLE_INLINE void steps(const Groups& groups, const Levels& levels, EvenLevels allowed,
                                  const OfGroups& wanted, const OfGroups& units, Steps& result) {
    for (std::size_t at = 0; at < kAside; at += Width) {
      const Floats unit = load(units, at);
      const Floats near = nearest(allowed, load(wanted, at) * inverse_of(unit));
      Floats best{}, least = kMost - Floats{};
      for (const float by : kNeighbours) {
        const Floats step = limited(near + by, allowed);
        const Floats lost = error_of(groups, levels, unit * step, Floats{}, at);
        const auto better = lost < least;
        best = better ? step : best;
        least = better ? lost : least;
      }
      store(best, result.step, at);
      store(least, result.lost, at);
    }
  }

  static NIBBLE_INLINE void steps(const Groups& groups, int highest, EvenLevels allowed,
                                  const Lines& wanted, const Lines& units, LineSteps& result) {
    const EvenLevels levels{0, highest};
    for (std::size_t at = 0; at < kAside; at += Width) {
      const Floats unit = load(units.scale, at), drop = -load(units.minimum, at);
      const Floats near = nearest(allowed, load(wanted.scale, at) * inverse_of(unit));
      const Floats low = nearest(allowed, load(wanted.minimum, at) * inverse_of(drop));
      Floats best{}, lowest{}, least = kMost - Floats{};
      for (const float by : kNeighbours)
        for (const float down : kNeighbours) {
          const Floats step = limited(near + by, allowed), shift = limited(low + down, allowed);
          const Floats lost = error_of(groups, levels, unit * step, drop * shift, at);
          const auto better = lost < least;
          best = better ? step : best;
          lowest = better ? shift : lowest;
          least = better ? lost : least;
        }
      store(best, result.step, at);
      store(lowest, result.shift, at);
      store(least, result.lost, at);
    }
  }

  template <typename Levels>
  static NIBBLE_INLINE void sums(const Groups& groups, const Levels& levels, const OfGroups& scales,
                                 LevelSums& result) {
    for (std::size_t at = 0; at < kAside; at += Width) {
      const Floats steps = inverse_of(load(scales, at));
      Floats product{}, square{};
      for (std::size_t i = 0; i < groups.size; ++i) {
        const Floats weight = load(groups.weights[i], at);
        const Floats level = nearest(levels, weight * steps);
        const Floats share = load(groups.importance[i], at) * level;
        product += share * weight;
        square += share * level;
      }
      store(product, result.product, at);
      store(square, result.square, at);
    }
  }

  static NIBBLE_INLINE void sums(const Groups& groups, int highest, const Lines& lines,
                                 CodeSums& result) {
    for (std::size_t at = 0; at < kAside; at += Width) {
      const Sums sums =
          sums_of(groups, highest, load(lines.minimum, at), inverse_of(load(lines.scale, at)), at);
      const Shares shares = shares_of(groups, at);
      store(sums.first, result.first, at);
      store(sums.second, result.second, at);
      store(sums.product, result.product, at);
      store(shares.all, result.all, at);
      store(shares.value, result.value, at);
    }
  }

  template <typename Levels>
  static NIBBLE_INLINE void codes(const float* weights, std::size_t count, const Levels& levels,
                                  float scale, float minimum, int* codes) {
    const Floats steps = inverse_of(scale - Floats{});
    for (std::size_t i = 0; i < count; i += Width) {
      const auto chosen = W::code(levels, (load(weights + i) - minimum) * steps);
      std::memcpy(codes + i, &chosen, sizeof(chosen));
    }
  }

 private:
  static constexpr float kMost = std::numeric_limits<float>::infinity();
  static constexpr float kNeighbours[] = {-1, 0, 1};

  struct ScaleFit {
    Floats scale{}, curvature{}, gain{};
    NIBBLE_INLINE void take(Floats product, Floats square) {
      const Floats fitted = product / square, gained = fitted * product;
      const auto better = gained > gain;  // not where all levels are 0
      scale = better ? fitted : scale;
      curvature = better ? square : curvature;
      gain = better ? gained : gain;
    }
  };

  struct Shares {
    Floats all{}, value{};
  };
  static NIBBLE_INLINE Shares shares_of(const Groups& groups, std::size_t at) {
    Shares shares;
    for (std::size_t i = 0; i < groups.size; ++i) {
      const Floats importance = load(groups.importance[i], at);
      shares.all += importance;
      shares.value += importance * load(groups.weights[i], at);
    }
    return shares;
  }

  struct Sums {
    Floats first{}, second{}, product{};
  };
  static NIBBLE_INLINE Sums sums_of(const Groups& groups, int highest, Floats minimum, Floats steps,
                                    std::size_t at) {
    const EvenLevels levels{0, highest};
    Sums sums;
    for (std::size_t i = 0; i < groups.size; ++i) {
      const Floats weight = load(groups.weights[i], at);
      const Floats code = nearest(levels, (weight - minimum) * steps);
      const Floats share = load(groups.importance[i], at) * code;
      sums.first += share;
      sums.second += share * code;
      sums.product += share * weight;
    }
    return sums;
  }

  template <typename Levels>
  static NIBBLE_INLINE Floats error_of(const Groups& groups, const Levels& levels, Floats scale,
                                       Floats minimum, std::size_t at) {
    const Floats steps = inverse_of(scale);
    Floats sum{};
    for (std::size_t i = 0; i < groups.size; ++i) {
      const Floats above = load(groups.weights[i], at) - minimum;
      const Floats rest = above - scale * nearest(levels, above * steps);
      sum += load(groups.importance[i], at) * rest * rest;
    }
    return sum;
  }

  static NIBBLE_INLINE Floats limited(Floats step, EvenLevels allowed) {
    return inside(step, static_cast<float>(allowed.lowest), static_cast<float>(allowed.highest));
  }
};

NIBBLE_WIDEST(template <typename Levels>, fits_of_scales,
              (const Groups& groups, const Levels& levels, const OfGroups& unit,
               std::span<const float> multiples, ScaleFits& best),
              fit(groups, levels, unit, multiples, best))
NIBBLE_WIDEST(, fits_of_lines,
              (const Groups& groups, int highest, bool free, const Lines& whole,
               std::span<const Interval> intervals, Lines& best),
              fit(groups, highest, free, whole, intervals, best))
NIBBLE_WIDEST(template <typename Levels>, errors_of_scales,
              (const Groups& groups, const Levels& levels, std::span<const OfGroups> scales,
               OfGroups* lost),
              errors(groups, levels, scales, lost))
NIBBLE_WIDEST(, errors_of_lines,
              (const Groups& groups, int highest, std::span<const Lines> lines, OfGroups* lost),
              errors(groups, highest, lines, lost))
NIBBLE_WIDEST(template <typename Levels>, steps_of_scales,
              (const Groups& groups, const Levels& levels, EvenLevels allowed,
               const OfGroups& wanted, const OfGroups& unit, Steps& result),
              steps(groups, levels, allowed, wanted, unit, result))
NIBBLE_WIDEST(, steps_of_lines,
              (const Groups& groups, int highest, EvenLevels allowed, const Lines& wanted,
               const Lines& unit, LineSteps& result),
              steps(groups, highest, allowed, wanted, unit, result))
NIBBLE_WIDEST(template <typename Levels>, sums_of_levels,
              (const Groups& groups, const Levels& levels, const OfGroups& scales,
               LevelSums& result),
              sums(groups, levels, scales, result))
NIBBLE_WIDEST(, sums_of_codes,
              (const Groups& groups, int highest, const Lines& lines, CodeSums& result),
              sums(groups, highest, lines, result))
NIBBLE_WIDEST(template <typename Levels>, nearest_codes,
              (const float* weights, std::size_t count, const Levels& levels, float scale,
               float minimum, int* chosen),
              codes(weights, count, levels, scale, minimum, chosen))

}  // namespace

template <typename Levels>
ScaleFits best_fits(const Groups& groups, const Levels& levels, const OfGroups& unit,
                    std::span<const float> multiples) {
  static const auto fit = NIBBLE_CHOOSE(fits_of_scales, <Levels>);
  ScaleFits best;
  fit(groups, levels, unit, multiples, best);
  return best;
}

Lines best_fits(const Groups& groups, int highest, bool free, const Lines& whole,
                std::span<const Interval> intervals) {
  static const auto fit = NIBBLE_CHOOSE(fits_of_lines);
  Lines best;
  fit(groups, highest, free, whole, intervals, best);
  return best;
}

template <typename Levels>
void measure(const Groups& groups, const Levels& levels, std::span<const OfGroups> scales,
             OfGroups* lost) {
  static const auto errors = NIBBLE_CHOOSE(errors_of_scales, <Levels>);
  errors(groups, levels, scales, lost);
}

void measure(const Groups& groups, int highest, std::span<const Lines> lines, OfGroups* lost) {
  static const auto errors = NIBBLE_CHOOSE(errors_of_lines);
  errors(groups, highest, lines, lost);
}

template <typename Levels>
Steps choose_steps(const Groups& groups, const Levels& levels, EvenLevels allowed,
                   const OfGroups& wanted, const OfGroups& unit) {
  static const auto choose = NIBBLE_CHOOSE(steps_of_scales, <Levels>);
  Steps steps;
  choose(groups, levels, allowed, wanted, unit, steps);
  return steps;
}

LineSteps choose_steps(const Groups& groups, int highest, EvenLevels allowed, const Lines& wanted,
                       const Lines& unit) {
  static const auto choose = NIBBLE_CHOOSE(steps_of_lines);
  LineSteps steps;
  choose(groups, highest, allowed, wanted, unit, steps);
  return steps;
}

template <typename Levels>
LevelSums level_sums(const Groups& groups, const Levels& levels, const OfGroups& scales) {
  static const auto sum = NIBBLE_CHOOSE(sums_of_levels, <Levels>);
  LevelSums sums;
  sum(groups, levels, scales, sums);
  return sums;
}

CodeSums code_sums(const Groups& groups, int highest, const Lines& lines) {
  static const auto sum = NIBBLE_CHOOSE(sums_of_codes);
  CodeSums sums;
  sum(groups, highest, lines, sums);
  return sums;
}

template <typename Levels>
void choose_codes(const float* weights, std::size_t count, const Levels& levels, float scale,
                  float minimum, int* codes) {
  static const auto choose = NIBBLE_CHOOSE(nearest_codes, <Levels>);
  choose(weights, count, levels, scale, minimum, codes);
}

#define NIBBLE_FOR_LEVELS(LEVELS)                                                            \
  template ScaleFits best_fits(const Groups&, const LEVELS&, const OfGroups&,                \
                               std::span<const float>);                                      \
  template void measure(const Groups&, const LEVELS&, std::span<const OfGroups>, OfGroups*); \
  template Steps choose_steps(const Groups&, const LEVELS&, EvenLevels, const OfGroups&,     \
                              const OfGroups&);                                              \
  template LevelSums level_sums(const Groups&, const LEVELS&, const OfGroups&);              \
  template void choose_codes(const float*, std::size_t, const LEVELS&, float, float, int*);
NIBBLE_FOR_LEVELS(EvenLevels)
NIBBLE_FOR_LEVELS(UnevenLevels)

}  // namespace nibble::block_formats
