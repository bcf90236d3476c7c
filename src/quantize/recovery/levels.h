// The values that codes of a grid stand for, as a search for scales needs them.
#pragma once

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
  bool even() const { return even_; }  // neighbours are 1 apart
  // Of the value at `index`; those of a sliding grid are counted from its lowest level.
  Code code(std::size_t index) const { return codes_[index]; }
  // The same, but of 0 with the sign of `weight`, where the grid has both.
  Code code(std::size_t index, float weight) const {
    if (weight != 0) return codes_[index];
    return std::signbit(weight) ? minus_zero_ : plus_zero_;
  }
  // Indices of the levels but 0, the largest magnitudes first, the positive one before the other.
  std::span<const std::uint16_t> by_size() const { return by_size_; }
  // Indices [first, second) of the levels in [low, high].
  std::pair<std::size_t, std::size_t> between(double low, double high) const;

 private:
  Levels(std::vector<std::pair<float, Code>> entries, float span);

  std::vector<float> values_;
  std::vector<Code> codes_;
  std::vector<std::uint16_t> by_size_;
  float span_ = 0;
  bool has_zero_ = false, even_ = true;
  Code plus_zero_ = 0, minus_zero_ = 0;
};

}  // namespace nibble
