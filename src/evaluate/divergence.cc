#include "evaluate/divergence.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/kernels.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 64 * kLanes;  // summed in float before it goes to double
constexpr float kSeriesBound = 0.5f;

// eᵈ − 1 − d for |d| < 1/2; the first term left out is below 1e-6 of the sum.
inline float series(float d) {
  float sum = 1 + d * (1 / 7.0f);
  sum = 1 + d * (1 / 6.0f) * sum;
  sum = 1 + d * (1 / 5.0f) * sum;
  sum = 1 + d * (1 / 4.0f) * sum;
  sum = 1 + d * (1 / 3.0f) * sum;
  return 0.5f * d * d * sum;
}

// p·(eᵈ − 1 − d), with eᵈ = q / p where d is large.
inline float term(float p, float q, float d) {
  const float small = p * series(d);
  const float large = q - p - p * d;
  return std::fabs(d) < kSeriesBound ? small : large;
}

std::size_t top_of(std::span<const float> row) {
  std::array<float, kLanes> best;
  best.fill(row[0]);
  const std::size_t whole = row.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t j = 0; j < kLanes; ++j) best[j] = row[i + j] > best[j] ? row[i + j] : best[j];
  float max = *std::max_element(best.begin(), best.end());
  for (std::size_t i = whole; i < row.size(); ++i) max = std::max(max, row[i]);
  return static_cast<std::size_t>(std::find(row.begin(), row.end(), max) - row.begin());
}

// x, y: logits; p, q: their probabilities; shift: ln Σeʸ − ln Σeˣ.
double divergence(std::span<const float> x, std::span<const float> y, std::span<const float> p,
                  std::span<const float> q, float shift) {
  double sum = 0;
  for (std::size_t begin = 0; begin < x.size(); begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, x.size());
    std::array<float, kLanes> lanes = {};
    std::size_t i = begin;
    for (; i + kLanes <= end; i += kLanes)
      for (std::size_t j = 0; j < kLanes; ++j)
        lanes[j] += term(p[i + j], q[i + j], (y[i + j] - x[i + j]) - shift);
    for (; i < end; ++i) lanes[0] += term(p[i], q[i], (y[i] - x[i]) - shift);
    for (const float lane : lanes) sum += static_cast<double>(lane);
  }
  return sum;
}

// Turns a copy of the logits into probabilities; answers ln Σeˣ.
double normalise(std::span<const float> logits, std::size_t top, std::vector<float>& room) {
  room.assign(logits.begin(), logits.end());
  kernels().softmax(room.data(), room.size());
  const double normaliser =
      static_cast<double>(logits[top]) - std::log(static_cast<double>(room[top]));
  if (!std::isfinite(normaliser))
    throw Error(ErrorKind::kNumeric, "a model gives logits that are not finite",
                "check the checkpoint:  nibble verify MODEL");
  return normaliser;
}

}  // namespace

PositionDifference compare_position(std::span<const float> base, std::span<const float> other,
                                    std::int32_t target, DivergenceRoom& room) {
  const std::size_t base_top = top_of(base), other_top = top_of(other);
  if (base_top == base.size() || other_top == other.size())
    throw Error(ErrorKind::kNumeric, "a model gives logits that are not numbers",
                "check the checkpoint:  nibble verify MODEL");
  const double base_normaliser = normalise(base, base_top, room.base);
  const double other_normaliser = normalise(other, other_top, room.other);
  const auto token = static_cast<std::size_t>(target);
  PositionDifference result;
  result.kl = divergence(base, other, room.base, room.other,
                         static_cast<float>(other_normaliser - base_normaliser));
  result.base_loss = base_normaliser - static_cast<double>(base[token]);
  result.other_loss = other_normaliser - static_cast<double>(other[token]);
  result.base_target = std::exp(-result.base_loss);
  result.other_target = std::exp(-result.other_loss);
  result.same_top = base_top == other_top;
  return result;
}

}  // namespace nibble
