// The values that codes of a grid stand for, as a search for scales needs them.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "formats/grid.h"

namespace nibble {

class Levels {
 public:
  // weight = scale · level. Of an evenly spaced grid the codes less `zero`; of a codebook its
  // entries, those that rounding never takes left out. Of dimension 1.
  static Levels fixed(const Grid& grid, int zero);
  // Of an evenly spaced grid whose zero is to be found, from `lowest_zero` on: all that code − zero
  // can be. A group uses levels that lie at most `span` apart.
  static Levels sliding(const Grid& grid, int lowest_zero);

  std::span<const float> values() const { return values_; }  // rising, each once
  float span() const { return span_; }
  bool has_zero() const { return has_zero_; }
  std::size_t index_of_zero() const { return between(0, 0).first; }
  // Where all levels are whole multiples of it, not too many: 1, or 0.5 of 4-bit floats; else 0.
  float unit() const { return unit_; }
  // Index of the level that is so many units; kNone: there is none.
  static constexpr std::uint16_t kNone = 0xFFFF;
  std::uint16_t of_units(float units) const {
    return by_units_[static_cast<std::size_t>(units - values_.front() / unit_)];
  }
  // Of the value at `index`; those of a sliding grid are counted from its lowest level.
  Code code(std::size_t index) const { return codes_[index]; }
  // The same, but of 0 with the sign of `weight`, where the grid has both.
  Code code(std::size_t index, float weight) const {
    if (weight != 0) return codes_[index];
    return std::signbit(weight) ? minus_zero_ : plus_zero_;
  }
  // Indices of the levels but 0, the largest magnitudes first; of two with the same one the level
  // that has the sign of `weight`: its scale is positive.
  std::span<const std::uint16_t> by_size(float weight) const { return by_size_[weight < 0]; }
  // Indices [first, second) of the levels in [low, high].
  std::pair<std::size_t, std::size_t> between(double low, double high) const;

 private:
  Levels(std::vector<std::pair<float, Code>> entries, float span);
  void find_unit();

  std::vector<float> values_;
  std::vector<Code> codes_;
  std::array<std::vector<std::uint16_t>, 2> by_size_;  // for weights above and below 0
  std::vector<std::uint16_t> by_units_;
  float span_ = 0, unit_ = 0;
  bool has_zero_ = false, even_ = true;
  Code plus_zero_ = 0, minus_zero_ = 0;
};

}  // namespace nibble
