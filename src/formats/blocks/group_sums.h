// What scales lose, and the scales of least squares, for sixteen groups at once. Each group's sums
// have one order: the figures are the same on every machine.
#pragma once

#include <cstddef>
#include <span>

#include "formats/blocks/groups.h"
#include "formats/blocks/levels.h"

namespace nibble::block_formats {

// weight ≈ scale · level, and Σ importance · level² of the levels that the scale belongs to.
struct ScaleFits {
  OfGroups scale{}, curvature{};
};
// For every multiple the levels nearest at unit / multiple and, where levels have both signs, at
// −unit / multiple, and the scale of least squares for these; the best of all, 0 where there is
// none.
template <typename Levels>
ScaleFits best_fits(const Groups& groups, const Levels& levels, const OfGroups& unit,
                    std::span<const float> multiples);

// weight ≈ scale · code + minimum, code from 0 to highest.
struct Lines {
  OfGroups scale{}, minimum{};
};
// A stretch of [minimum, minimum + scale]: from minimum + start · scale on, length · scale long.
struct Interval {
  float start, length;
};
// For every interval of `whole` the codes nearest when these are spread over it, and the line of
// least squares for these; the best of all, the whole where there is none. `free`: minimums above 0
// are allowed.
Lines best_fits(const Groups& groups, int highest, bool free, const Lines& whole,
                std::span<const Interval> intervals);

// Fill in what each group loses with each of the scales.
template <typename Levels>
void measure(const Groups& groups, const Levels& levels, std::span<const OfGroups> scales,
             OfGroups* lost);
void measure(const Groups& groups, int highest, std::span<const Lines> lines, OfGroups* lost);

// A group's scale is its unit times one of the integers of `allowed`: that nearest to wanted / unit
// or a neighbour of it, whichever loses least.
struct Steps {
  OfGroups step{}, lost{};
};
template <typename Levels>
Steps choose_steps(const Groups& groups, const Levels& levels, EvenLevels allowed,
                   const OfGroups& wanted, const OfGroups& unit);
// The same for a scale and for minus the minimum, each with its unit.
struct LineSteps {
  OfGroups step{}, shift{}, lost{};
};
LineSteps choose_steps(const Groups& groups, int highest, EvenLevels allowed, const Lines& wanted,
                       const Lines& unit);

// Of the levels nearest at `scales`: Σ importance · level · weight and Σ importance · level².
struct LevelSums {
  OfGroups product{}, square{};
};
template <typename Levels>
LevelSums level_sums(const Groups& groups, const Levels& levels, const OfGroups& scales);
// Of the codes nearest on `lines`: Σ importance · code, · code², · code · weight, and Σ importance,
// Σ importance · weight.
struct CodeSums {
  OfGroups first{}, second{}, product{}, all{}, value{};
};
CodeSums code_sums(const Groups& groups, int highest, const Lines& lines);

// The codes nearest to (weight − minimum) / scale of `count` weights, a multiple of 16.
template <typename Levels>
void choose_codes(const float* weights, std::size_t count, const Levels& levels, float scale,
                  float minimum, int* codes);

}  // namespace nibble::block_formats
