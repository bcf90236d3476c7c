// The numbers of a type in rising order: which of them lie between two bounds, and what is rounded
// to one of them.
#pragma once

#include <cstdint>
#include <span>

#include "nibble/dtype.h"

namespace nibble {

struct Interval {  // of real numbers; empty where low > high
  double low = 0, high = 0;

  bool holds(double value) const { return low <= value && value <= high; }
  double middle() const { return low + (high - low) / 2; }
};

// The numbers of F16, BF16, F32 and, positive ones only, of F8_E8M0 and F8_E4M3, counted from 0;
// negative ones have negative places. Of F8_E8M0 2^-127 has place 1.
std::int64_t place_of(DType type, float value);  // of the nearest number, in its range
float number_at(DType type, std::int64_t place);
std::int64_t last_place(DType type);  // of the largest finite number

// To F16, BF16 or F32, ties to even: what a weight becomes where it is stored.
float rounded_to(DType type, float value);

// Is each product scale · steps[i], or each value, rounded to weights[i]? Zeros of both signs are
// the same.
bool rounds_to(DType type, const float* steps, float scale, std::span<const float> weights);
bool rounds_to(DType type, const float* values, std::span<const float> weights);

// The real numbers that are rounded to `value`, a finite number of the type other than 0; a little
// more, since products are rounded to float32 before.
Interval rounded_from(DType type, float value);

// Calls visit(number) for numbers of the type between the bounds, 0 left out, those nearest to the
// middle first, at most `most` on each side, until it says true. Returns whether it did.
template <typename Visit>
bool any_between(DType type, Interval bounds, int most, Visit&& visit) {
  if (!(bounds.low <= bounds.high)) return false;
  const std::int64_t middle = place_of(type, static_cast<float>(bounds.middle()));
  const std::int64_t last = last_place(type);
  const bool has_sign = type == DType::kF16 || type == DType::kBF16 || type == DType::kF32;
  const auto tried = [&](std::int64_t place) {
    if (place == 0 || place > last || place < (has_sign ? -last : 1)) return false;
    const float number = number_at(type, place);
    return bounds.holds(static_cast<double>(number)) && visit(number);
  };
  if (tried(middle)) return true;
  for (std::int64_t away = 1; away <= most; ++away) {
    if (tried(middle + away) || tried(middle - away)) return true;
    const bool above =
        middle + away >= last || static_cast<double>(number_at(type, middle + away)) > bounds.high;
    const bool below = middle - away <= -last || (!has_sign && middle - away <= 0) ||
                       static_cast<double>(number_at(type, middle - away)) < bounds.low;
    if (above && below) return false;
  }
  return false;
}

}  // namespace nibble
