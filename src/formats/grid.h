// The values that weights of one group may take. A grid is data: what a code means. How weights are
// brought onto it is quantize/layer/rounder.h, what a file can hold of it checkpoint/layout.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nibble {

// One code; grids of up to 8 bits are kept a byte each.
using Code = std::uint16_t;

// Of one group of one row. Grids with a codebook have no zero: it stays 0.
struct GroupParams {
  float scale = 1;
  float zero = 0;  // in code units
};

// The most weights that one code may stand for: room that loops have for them.
inline constexpr std::size_t kMaxDimension = 16;

// A code stands for `dimension` neighbouring weights of a row:
//   without a codebook  weight    = scale · (code − zero)            (dimension 1)
//   with one            weights[k] = scale · codebook[code][k]
struct Grid {
  std::string_view name;  // "int4", "nf4": stands in recipes and passports, never renamed
  std::string_view summary;
  int bits = 0;                          // of one code, 1 … 16
  std::size_t dimension = 1;             // weights that one code stands for, 1 … kMaxDimension
  std::span<const float> codebook = {};  // [2^bits, dimension]; of dimension 1: never falling
  std::size_t used = 0;    // the first so many codes are all that rounding takes; 0: all
  bool even_ties = false;  // of floats: halfway between two, the one with an even mantissa is taken
  // Evenly spaced: the zero is always the middle, and code 0, which has no opposite, is never
  // taken.
  bool centred = false;

  bool uniform() const { return codebook.empty(); }
  bool free_zeros() const { return uniform() && !centred; }
  std::size_t levels() const { return std::size_t{1} << bits; }
  std::size_t used_levels() const { return used == 0 ? levels() : used; }
  Code lowest_code() const { return centred ? 1 : 0; }
  double bits_per_weight() const {
    return static_cast<double>(bits) / static_cast<double>(dimension);
  }

  // Of dimension 1.
  float value(Code code, GroupParams params) const {
    return params.scale *
           (codebook.empty() ? static_cast<float>(code) - params.zero : codebook[code]);
  }
  // The definition of decoding: `dimension` weights of one code.
  void values(Code code, GroupParams params, float* weights) const {
    if (codebook.empty()) {
      *weights = value(code, params);
      return;
    }
    const float* entry = codebook.data() + code * dimension;
    for (std::size_t k = 0; k < dimension; ++k) weights[k] = params.scale * entry[k];
  }
};

namespace grids {
std::span<const Grid* const> all();
const Grid* find(std::string_view name);   // null when unknown
const Grid& named(std::string_view name);  // throws kInvalidArgument with the known names
const Grid& uniform(int bits);             // "int<bits>"; throws kUnsupported
// What its codes are read as where a file tells no more than their width: of centred ones
// int<bits>.
const Grid& stored(const Grid& grid);
}  // namespace grids

}  // namespace nibble
