// Groups of weights that are looked at together: sixteen groups side by side, weight by weight,
// keep vectors full whatever the size of a group.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace nibble::block_formats {

inline constexpr std::size_t kAside = 16, kLargestGroup = 32;

// A number of each group.
struct alignas(64) OfGroups : std::array<float, kAside> {};

// [size, kAside]: weight i of group g is weights[i][g]; and how much its squared error counts.
struct Groups {
  std::size_t size = 0;
  std::array<OfGroups, kLargestGroup> weights, importance;
};

// The groups of `count` weights that follow each other, kAside · size of them at most; the places
// of missing groups repeat the first. Without importance (null) all weights count the same.
inline void gather(const float* weights, const float* importance, std::size_t count,
                   std::size_t size, Groups& groups) {
  groups.size = size;
  for (std::size_t g = 0; g < kAside; ++g) {
    const std::size_t first = g * size < count ? g * size : 0;
    for (std::size_t i = 0; i < size; ++i) groups.weights[i][g] = weights[first + i];
    for (std::size_t i = 0; i < size; ++i)
      groups.importance[i][g] = importance != nullptr ? importance[first + i] : 1;
  }
}

// Calls visit(groups, first, n) for stretches of n of the `count` blocks of `block` weights, as
// many as have kAside groups.
template <typename Visit>
void for_each_stretch(const float* weights, const float* importance, std::size_t count,
                      std::size_t block, std::size_t size, Visit visit) {
  const std::size_t together = kAside * size / block;
  Groups groups;
  for (std::size_t first = 0; first < count; first += together) {
    const std::size_t n = std::min(together, count - first);
    gather(weights + first * block, importance != nullptr ? importance + first * block : nullptr,
           n * block, size, groups);
    visit(groups, first, n);
  }
}

}  // namespace nibble::block_formats
