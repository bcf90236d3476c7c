#include "quantize/recovery/number_line.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "formats/float8.h"
#include "tensor/half.h"

namespace nibble {
namespace {

constexpr int kLowestExponent = -128;  // F8_E8M0 begins with the next, at place 1
constexpr std::int64_t kLastExponent = 255;
// Twice the half of float32's last place: a product and a sum are rounded before they are stored.
constexpr double kSlack = 0x1p-22;

std::int64_t with_sign(bool negative, std::uint32_t size) {
  return negative ? -static_cast<std::int64_t>(size) : static_cast<std::int64_t>(size);
}

// Between a number and its neighbour, from the number's side.
double half_way(DType type, std::int64_t place, std::int64_t step) {
  const double own = static_cast<double>(number_at(type, place));
  // Behind the largest number the steps go on as they were.
  if (place + step > last_place(type) || place + step < -last_place(type))
    return own + (own - static_cast<double>(number_at(type, place - step))) / 2;
  return (own + static_cast<double>(number_at(type, place + step))) / 2;
}

// One loop for each type, without a question inside.
template <typename Loop>
bool for_type(DType type, const Loop& loop) {
  if (type == DType::kF16)
    return loop([](float value) { return half_to_float(float_to_half(value)); });
  if (type == DType::kBF16)
    return loop([](float value) { return bfloat16_to_float(float_to_bfloat16(value)); });
  return loop([](float value) { return value; });
}

}  // namespace

std::int64_t last_place(DType type) {
  switch (type) {
    case DType::kF16:
      return 0x7BFF;
    case DType::kBF16:
      return 0x7F7F;
    case DType::kF8E8M0:
      return kLastExponent;
    case DType::kF8E4M3:
      return 0x7E;
    default:
      return 0x7F7FFFFF;
  }
}

std::int64_t place_of(DType type, float value) {
  const std::int64_t last = last_place(type);
  if (type == DType::kF8E8M0) {
    const float size = std::max(std::fabs(value), 0x1p-127f);
    return std::clamp<std::int64_t>(std::ilogb(size) - kLowestExponent, 1, last);
  }
  if (type == DType::kF8E4M3) return float_to_float8(std::fabs(value));
  const bool negative = std::signbit(value);
  std::uint32_t size = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFF;
  if (type == DType::kF16) size = float_to_half(value) & 0x7FFFu;
  if (type == DType::kBF16) size = float_to_bfloat16(value) & 0x7FFFu;
  return with_sign(negative, std::min(size, static_cast<std::uint32_t>(last)));
}

float number_at(DType type, std::int64_t place) {
  const auto size = static_cast<std::uint32_t>(place < 0 ? -place : place);
  float number = 0;
  switch (type) {
    case DType::kF16:
      number = half_to_float(static_cast<Half>(size));
      break;
    case DType::kBF16:
      number = bfloat16_to_float(static_cast<Bfloat16>(size));
      break;
    case DType::kF8E8M0:
      number = std::ldexp(1.0f, static_cast<int>(size) + kLowestExponent);
      break;
    case DType::kF8E4M3:
      number = float8_to_float(static_cast<std::uint8_t>(size));
      break;
    default:
      number = std::bit_cast<float>(size);
  }
  return place < 0 ? -number : number;
}

float rounded_to(DType type, float value) {
  if (type == DType::kF16) return half_to_float(float_to_half(value));
  return type == DType::kBF16 ? bfloat16_to_float(float_to_bfloat16(value)) : value;
}

bool rounds_to(DType type, const float* steps, float scale, std::span<const float> weights) {
  return for_type(type, [&](auto round) {
    int wrong = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      wrong |= static_cast<int>(round(scale * steps[i]) != weights[i]);
    return wrong == 0;
  });
}

bool rounds_to(DType type, const float* values, std::span<const float> weights) {
  return for_type(type, [&](auto round) {
    int wrong = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      wrong |= static_cast<int>(round(values[i]) != weights[i]);
    return wrong == 0;
  });
}

Interval rounded_from(DType type, float value) {
  const std::int64_t place = place_of(type, value);
  const Interval exact{half_way(type, place, -1), half_way(type, place, 1)};
  return {exact.low - kSlack * std::fabs(exact.low), exact.high + kSlack * std::fabs(exact.high)};
}

}  // namespace nibble
