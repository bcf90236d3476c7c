#include "quantize/recovery/group_values.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace nibble {
namespace {

constexpr std::uint16_t kFree = 0xFFFF;

}  // namespace

bool GroupValues::gather(std::span<const float> weights, DType type, std::size_t most) {
  const std::size_t slots = 4 * std::bit_ceil(std::min(weights.size(), most + 1));
  table_.assign(slots, kFree);
  owner_.resize(weights.size());
  values_.clear();
  has_zero_ = false;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const float weight = weights[i];
    if (weight == 0) {
      has_zero_ = true;
      owner_[i] = kZero;
      continue;
    }
    // The upper bits of the product: the lower ones of a bfloat16 weight are all 0.
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(weight);
    std::size_t slot = (bits * 0x9E3779B1u >> 20) & (slots - 1);
    while (table_[slot] != kFree && values_[table_[slot]] != weight)
      slot = (slot + 1) & (slots - 1);
    if (table_[slot] == kFree) {
      if (values_.size() == most || !std::isfinite(weight)) return false;
      table_[slot] = static_cast<std::uint16_t>(values_.size());
      values_.push_back(weight);
    }
    owner_[i] = table_[slot];
  }
  order_.resize(values_.size());
  for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::uint16_t>(i);
  std::sort(order_.begin(), order_.end(), [&](std::uint16_t a, std::uint16_t b) {
    const float size_a = std::fabs(values_[a]), size_b = std::fabs(values_[b]);
    return size_a != size_b ? size_a < size_b : values_[a] < values_[b];
  });
  place_.resize(order_.size());
  intervals_.resize(order_.size());
  std::vector<float> sorted(order_.size());
  for (std::size_t i = 0; i < order_.size(); ++i) {
    place_[order_[i]] = static_cast<std::uint16_t>(i);
    sorted[i] = values_[order_[i]];
    intervals_[i] = nibble::rounded_from(type, sorted[i]);
  }
  values_.swap(sorted);
  for (std::uint16_t& owner : owner_)
    if (owner != kZero) owner = place_[owner];
  return true;
}

}  // namespace nibble
