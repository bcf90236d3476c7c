// The first lanes of a vector alone, by way of memory: for instruction sets without masks.
// Included by their vectors.h.
#pragma once

namespace nibble::NIBBLE_ISA {

// The first `count` (up to kLanes) values of p, zeros behind them.
template <typename Value>
inline auto load_first(const Value* p, size_t count) {
  Value lanes[kLanes];
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = i < count ? p[i] : Value{0};
  return load(lanes);
}
template <typename Value, typename Vector>
inline void store_first(Value* p, Vector v, size_t count) {
  Value lanes[kLanes];
  store(lanes, v);
  for (size_t i = 0; i < count; ++i) p[i] = lanes[i];
}

// The sum of `total` and of the first `count` lanes of `tail`.
inline float sum_with_tail(Floats total, Floats tail, size_t count) {
  float lanes[kLanes];
  store(lanes, tail);
  float sum = 0;
  for (size_t i = 0; i < count; ++i) sum += lanes[i];
  return sum_of(total) + sum;
}

}  // namespace nibble::NIBBLE_ISA
