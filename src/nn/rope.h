// Rotary position embedding (Su et al. 2021), pairing element i with i + d/2 of each head.
#pragma once

#include <span>
#include <vector>

#include "nibble/tensor.h"

namespace nibble {

// Cosines and sines of positions [first, first + count) for these frequencies, [count, d/2] each.
struct RopeTable {
  RopeTable(std::span<const double> frequencies, std::size_t first, std::size_t count);
  std::size_t first = 0;
  Tensor cosines, sines;
};

// Rotates rows [length, heads · head_dim] in place; row r stands at position `position + r`, which
// the table must hold.
void apply_rope(Matrix rows, std::size_t head_dim, const RopeTable& table, std::size_t position);
// Turns them back: the inverse, and, as turning keeps lengths, also what a gradient goes through.
void undo_rope(Matrix rows, std::size_t head_dim, const RopeTable& table, std::size_t position);

}  // namespace nibble
