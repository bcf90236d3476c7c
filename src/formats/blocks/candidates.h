// What many candidates for the scale of a few weights lose, and the sums that least squares needs,
// several candidates at once. A candidate's sums have one order, however many are beside it: the
// figures are the same on every machine.
#pragma once

#include <array>
#include <cstddef>

#include "base/check.h"
#include "formats/blocks/levels.h"

namespace nibble::block_formats {

// Up to 256 weights, a multiple of 8, and how much the squared error of each counts.
struct Group {
  const float* weights = nullptr;
  const float* importance = nullptr;
  int size = 0;

  Group part(int first, int count) const { return {weights + first, importance + first, count}; }
};

// weight ≈ scale · code + minimum, code from 0 to highest. Without initial values: lists of many
// are made for every few weights.
struct Line {
  float scale, minimum;
};

// Candidates and what each loses: room for the longest list there is and for the vector that its
// end is padded to.
inline constexpr std::size_t kMostTogether = 16, kMostCandidates = 112;
template <typename Candidate>
class Candidates {
 public:
  void clear() { count_ = 0; }
  void add(Candidate candidate) {
    NIBBLE_ASSERT(count_ + kMostTogether <= kMostCandidates);
    list_[count_++] = candidate;
  }
  std::size_t size() const { return count_; }
  const Candidate& operator[](std::size_t index) const { return list_[index]; }
  float lost(std::size_t index) const { return lost_[index]; }

  // Of [begin, end) the first that loses least.
  std::size_t best(std::size_t begin, std::size_t end) const {
    std::size_t best = begin;
    for (std::size_t i = begin + 1; i < end; ++i)
      if (lost_[i] < lost_[best]) best = i;
    return best;
  }

  // All of them, and behind them the last again to fill a vector.
  const Candidate* padded() {
    for (std::size_t i = 0; i + 1 < kMostTogether; ++i) list_[count_ + i] = list_[count_ - 1];
    return list_.data();
  }
  float* room() { return lost_.data(); }

 private:
  std::array<Candidate, kMostCandidates> list_;
  std::array<float, kMostCandidates> lost_;
  std::size_t count_ = 0;
};

// A scale, and Σ importance · level² of the levels that it belongs to.
struct ScaleFit {
  float scale = 0, curvature = 0;
};
// Of the levels nearest at each scale the scale of least squares; the best of these, 0 where there
// is none.
template <typename Levels>
ScaleFit best_fit(Group group, const Levels& levels, Candidates<float>& scales);
// The same for lines; `free`: minimums above 0 are allowed.
Line best_fit(Group group, int highest, bool free, Candidates<Line>& lines);

// Fill in what each candidate loses.
template <typename Levels>
void measure(Group group, const Levels& levels, Candidates<float>& scales);
void measure(Group group, int highest, Candidates<Line>& lines);

// Several starts of one search, side by side.
inline constexpr std::size_t kStarts = 4;
using OfStarts = std::array<float, kStarts>;

// For fixed levels weight ≈ scale · step of its group · level: Σ importance · level · weight and
// Σ importance · level², the step counted to the level.
struct ScaleSums {
  OfStarts product{}, square{};
};
// steps [groups]: of each start; inverses: 1 / (scale · step).
template <typename Levels>
ScaleSums scale_sums(Group block, int group_size, const Levels& levels, const OfStarts* steps,
                     const OfStarts* inverses);

// The normal equations of weight ≈ scale · a + minimum · b, a = step · code and b = −shift.
struct LineSums {
  OfStarts aa{}, ab{}, bb{}, aw{}, bw{};
};
// shifts, minimums [groups]: of each start; minimums: −minimum · shift.
LineSums line_sums(Group block, int group_size, int highest, const OfStarts* steps,
                   const OfStarts* inverses, const OfStarts* shifts, const OfStarts* minimums);

// 1 / scale, or 0 for a scale too small to be told from none: such weights get the level 0.
inline float inverse(float scale) { return scale > 1e-30f || scale < -1e-30f ? 1 / scale : 0; }

}  // namespace nibble::block_formats
