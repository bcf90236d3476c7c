// Products, sums and conversions of floats.
#pragma once

#include "kernels/vector/entries.h"

namespace nibble::NIBBLE_ISA {
namespace {

// kLanes weights of each type; load_first: those of a row's tail.
struct Float {
  using Type = float;
  static Floats from(Floats v) { return v; }
};
struct Bfloat {
  using Type = uint16_t;
  static Floats from(Words v) { return from_bfloat(v); }
  static Words to(Floats v) { return to_bfloat(v); }
};
struct Half {
  using Type = uint16_t;
  static Floats from(Words v) { return from_half(v); }
  static Words to(Floats v) { return to_half(v); }
};

inline size_t up_to_lanes(size_t left) { return left < kLanes ? left : kLanes; }

template <typename W, size_t Rows>
void float_rows(const typename W::Type* w, size_t stride, const float* x, size_t columns,
                float* y) {
  Floats sum[Rows][kGemvRun];
  for (size_t r = 0; r < Rows; ++r)
    for (Floats& one : sum[r]) one = all(0);
  size_t c = 0;
  for (; c + kGemvRun * kLanes <= columns; c += kGemvRun * kLanes) {
    Floats in[kGemvRun];
    for (size_t k = 0; k < kGemvRun; ++k) in[k] = load(x + c + k * kLanes);
    for (size_t r = 0; r < Rows; ++r) {
      const auto* row = w + r * stride + c;
      // The CPU does not look beyond a page by itself, and a row may end with one.
      if constexpr (Rows == 4 && kFetchesNextRows)
        for (size_t at = 0; at < kGemvRun * kLanes; at += 64 / sizeof(*row))
          __builtin_prefetch(row + 4 * stride + at, 0, 2);
      for (size_t k = 0; k < kGemvRun; ++k)
        sum[r][k] = plus_product(sum[r][k], W::from(load(row + k * kLanes)), in[k]);
    }
  }
  for (; c < columns; c += kLanes) {
    const size_t left = up_to_lanes(columns - c);
    const Floats in = load_first(x + c, left);
    for (size_t r = 0; r < Rows; ++r)
      sum[r][0] = plus_product(sum[r][0], W::from(load_first(w + r * stride + c, left)), in);
  }
  Floats total[Rows];
  for (size_t r = 0; r < Rows; ++r) {
    for (size_t apart = 1; apart < kGemvRun; apart *= 2)
      for (size_t k = 0; k + apart < kGemvRun; k += 2 * apart)
        sum[r][k] = add(sum[r][k], sum[r][k + apart]);
    total[r] = sum[r][0];
  }
  if constexpr (Rows == 4)
    sums_of_four(total, y);
  else
    for (size_t r = 0; r < Rows; ++r) y[r] = sum_of(total[r]);
}

template <typename W>
void float_gemv(const typename W::Type* w, size_t stride, const float* x, size_t rows,
                size_t columns, float* y) {
  size_t r = 0;
  for (; r + 4 <= rows; r += 4) float_rows<W, 4>(w + r * stride, stride, x, columns, y + r);
  for (; r < rows; ++r) float_rows<W, 1>(w + r * stride, stride, x, columns, y + r);
}

// kMixVectors vectors of columns at a time; row r is added to sum r % kMixSums.
template <typename W>
void mix(const float* weights, const typename W::Type* v, size_t stride, size_t rows,
         size_t columns, float* y) {
  size_t c = 0;
  for (; c + kMixVectors * kLanes <= columns; c += kMixVectors * kLanes) {
    Floats sum[kMixSums][kMixVectors];
    for (size_t k = 0; k < kMixVectors; ++k) {
      sum[0][k] = load(y + c + k * kLanes);
      for (size_t s = 1; s < kMixSums; ++s) sum[s][k] = all(0);
    }
    const auto add_row = [&](size_t r, Floats* to) {
      const Floats weight = all(weights[r]);
      for (size_t k = 0; k < kMixVectors; ++k)
        to[k] = plus_product(to[k], W::from(load(v + r * stride + c + k * kLanes)), weight);
    };
    size_t r = 0;
    for (; r + kMixSums <= rows; r += kMixSums)
      for (size_t s = 0; s < kMixSums; ++s) add_row(r + s, sum[s]);
    if constexpr (kMixSums > 1)
      for (; r < rows; ++r) add_row(r, sum[0]);
    for (size_t k = 0; k < kMixVectors; ++k) {
      for (size_t s = 1; s < kMixSums; ++s) sum[0][k] = add(sum[0][k], sum[s][k]);
      store(y + c + k * kLanes, sum[0][k]);
    }
  }
  for (; c < columns; c += kLanes) {
    const size_t left = up_to_lanes(columns - c);
    Floats sum = load_first(y + c, left);
    for (size_t r = 0; r < rows; ++r) {
      const auto* row = v + r * stride + c;
      const auto values = left == kLanes ? load(row) : load_first(row, left);
      sum = plus_product(sum, W::from(values), weights[r]);
    }
    store_first(y + c, sum, left);
  }
}

float dot(const float* a, const float* b, size_t count) {
  float result;
  float_rows<Float, 1>(a, 0, b, count, &result);
  return result;
}

float square_sum(const float* x, size_t count) { return dot(x, x, count); }

void add_scaled(float a, const float* x, float* y, size_t count) {
  const Floats factor = all(a);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(y + i, plus_product(load(y + i), factor, load(x + i)));
  for (; i < count; ++i) y[i] += a * x[i];
}

template <typename W>
void widen(const uint16_t* from, float* to, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, W::from(load(from + i)));
  if (i < count) store_first(to + i, W::from(load_first(from + i, count - i)), count - i);
}

template <typename W>
void narrow(const float* from, uint16_t* to, size_t count) {
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, W::to(load(from + i)));
  if (i < count) store_first(to + i, W::to(load_first(from + i, count - i)), count - i);
}

void bytes_to_float(const int8_t* from, const float* scales, size_t blocks, float* to) {
  for (size_t b = 0; b < blocks; ++b)
    for (size_t i = 32 * b; i < 32 * (b + 1); i += 16) {
      Floats codes[16 / kLanes];
      to_floats(from + i, codes);
      for (size_t k = 0; k < 16 / kLanes; ++k) store(to + i + k * kLanes, mul(codes[k], scales[b]));
    }
}

float rounding_error(const float* w, const float* importance, size_t count, float scale, float zero,
                     float max_code) {
  const Floats inverse = all(1 / scale), step = all(scale);
  const Floats lowest = all(-zero), highest = all(max_code - zero);
  const auto with_error = [&](Floats sum, Floats value, Floats weight) {
    const Floats code = smaller(larger(whole(mul(value, inverse)), lowest), highest);
    const Floats difference = less_product(value, code, step);
    return plus_product(sum, mul(difference, difference), weight);
  };
  Floats error = all(0);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    error = with_error(error, load(w + i), load(importance + i));
  if (i < count)
    error = with_error(error, load_first(w + i, count - i), load_first(importance + i, count - i));
  return sum_of(error);
}

}  // namespace
}  // namespace nibble::NIBBLE_ISA
