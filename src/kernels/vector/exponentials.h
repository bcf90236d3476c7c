// exp, and what is made of it.
#pragma once

#include "kernels/vector/entries.h"

namespace nibble::NIBBLE_ISA {
namespace {

constexpr float kLowest = -87.3f;  // below, exp is 0
constexpr float kExpTerms[] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

// exp by 2^n · p(f), |f| ≤ ln 2 / 2; relative error below 3e-7; NaN stays NaN.
inline Floats exp_of(Floats x) {
  const Floats clamped = larger(all(kLowest), smaller(all(88.3f), x));
  const Floats n = whole(mul(clamped, 1.44269504f));
  Floats f = less_product(clamped, n, 0.693359375f);
  f = less_product(f, n, -2.12194440e-4f);
  Floats p = all(1.0f / 720);
  for (const float term : kExpTerms) p = plus_product(all(term), p, f);
  const Ints exponent = moved_up<23>(add_ints(rounded(n), all_ints(127)));
  return limited(mul(p, float_bits(exponent)), x, kLowest);
}

// Of what is a number.
float max_of(const float* row, size_t count) {
  Floats top = all(-__builtin_inff());
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) top = larger_number(load(row + i), top);
  float max = largest_lane(top, -__builtin_inff());
  for (; i < count; ++i) max = row[i] > max ? row[i] : max;
  return max;
}

// A row of −∞ alone has no shift that works; with 0 its exponentials are all 0.
float shift_of(float max) { return max == -__builtin_inff() ? 0.0f : max; }

float exp_sum(const float* row, size_t count, float* max) {
  *max = max_of(row, count);
  const Floats shift = all(shift_of(*max));
  Floats sum = all(0);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) sum = add(sum, exp_of(sub(load(row + i), shift)));
  if (i == count) return sum_of(sum);
  return sum_with_tail(sum, exp_of(sub(load_first(row + i, count - i), shift)), count - i);
}

void softmax(float* row, size_t count) {
  const Floats shift = all(shift_of(max_of(row, count)));
  Floats total = all(0);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats value = exp_of(sub(load(row + i), shift));
    store(row + i, value);
    total = add(total, value);
  }
  float sum = 0;
  if (i < count) {
    const Floats tail = exp_of(sub(load_first(row + i, count - i), shift));
    store_first(row + i, tail, count - i);
    sum = sum_with_tail(total, tail, count - i);
  } else {
    sum = sum_of(total);
  }
  const Floats share = all(sum == 0 ? 0 : 1 / sum);
  for (i = 0; i + kLanes <= count; i += kLanes) store(row + i, mul(load(row + i), share));
  if (i < count) store_first(row + i, mul(load_first(row + i, count - i), share), count - i);
}

// out[i] = x / (1 + exp(exponent(x))) · up[i], x = gate[i].
template <Floats (*Exponent)(Floats)>
void gate_multiply(const float* gate, const float* up, float* out, size_t count) {
  const auto product = [](Floats x, Floats factor) {
    return mul(div(x, add(all(1), exp_of(Exponent(x)))), factor);
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, product(load(gate + i), load(up + i)));
  if (i < count)
    store_first(out + i, product(load_first(gate + i, count - i), load_first(up + i, count - i)),
                count - i);
}

inline Floats silu_exponent(Floats x) { return negated(x); }

// −2u of the scalar definition.
inline Floats gelu_exponent(Floats x) {
  return mul(x, plus_product(all(-1.5957691216f), mul(x, x), -0.0713548163f));
}

// Derivatives of the two exponents.
inline Floats silu_slope(Floats) { return all(-1); }
inline Floats gelu_slope(Floats x) {
  x = larger(all(-30), smaller(all(30), x));  // what it multiplies is 0 beyond
  return plus_product(all(-1.5957691216f), mul(x, x), -0.2140644488f);
}

// With s = 1 / (1 + exp(e(x))) and a = x·s: da/dx = s − a·(1 − s)·e'(x).
template <Floats (*Exponent)(Floats), Floats (*Slope)(Floats)>
void gate_gradient(const float* dout, float* gate, float* up, size_t count) {
  const auto change = [](Floats d, Floats& x, Floats& factor) {
    const Floats s = div(all(1), add(all(1), exp_of(Exponent(x))));
    const Floats a = mul(x, s);
    const Floats slope = less_product(s, mul(a, sub(all(1), s)), Slope(x));
    x = mul(mul(d, factor), slope);
    factor = mul(d, a);
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Floats x = load(gate + i), factor = load(up + i);
    change(load(dout + i), x, factor);
    store(gate + i, x);
    store(up + i, factor);
  }
  if (i == count) return;
  const size_t left = count - i;
  Floats x = load_first(gate + i, left), factor = load_first(up + i, left);
  change(load_first(dout + i, left), x, factor);
  store_first(gate + i, x, left);
  store_first(up + i, factor, left);
}

}  // namespace
}  // namespace nibble::NIBBLE_ISA
