#include "model/gguf/llama3_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace nibble {
namespace {

// Turns of each pair for one position.
std::vector<double> turns_of(std::size_t pairs, double theta) {
  std::vector<double> turns;
  for (std::size_t i = 0; i < pairs; ++i)
    turns.push_back(std::pow(theta, -static_cast<double>(i) / static_cast<double>(pairs)) /
                    (2 * std::numbers::pi));
  return turns;
}

// 1: the frequency stays; 0: it is divided by the whole factor.
double kept_share(const Llama3Scaling& scaling, double turns) {
  const double share = (scaling.original_context * turns - scaling.low_freq_factor) /
                       (scaling.high_freq_factor - scaling.low_freq_factor);
  return std::clamp(share, 0.0, 1.0);
}

bool gives(const Llama3Scaling& scaling, std::span<const float> divisors,
           const std::vector<double>& turns) {
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const double share = kept_share(scaling, turns[i]);
    const double divisor = 1 / ((1 - share) / scaling.factor + share);
    const auto own = static_cast<double>(divisors[i]);
    if (!(std::fabs(own - divisor) <= 1e-5 * own)) return false;
  }
  return true;
}

}  // namespace

std::optional<Llama3Scaling> llama3_scaling_of(std::span<const float> divisors, double theta) {
  const auto turns = turns_of(divisors.size(), theta);
  Llama3Scaling scaling;
  // Exact where any frequency is divided by all of it; models have whole numbers.
  scaling.factor = static_cast<double>(*std::max_element(divisors.begin(), divisors.end()));
  if (std::fabs(scaling.factor - std::nearbyint(scaling.factor)) < 1e-4)
    scaling.factor = std::nearbyint(scaling.factor);
  if (gives(scaling, divisors, turns)) return scaling;
  // Between the two limits the kept share grows evenly with the turns. Only the ratio of the three
  // other numbers counts: with the lower limit at one turn the line says the rest.
  std::vector<std::pair<double, double>> line;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const double share =
        (1 / static_cast<double>(divisors[i]) - 1 / scaling.factor) / (1 - 1 / scaling.factor);
    if (share > 1e-3 && share < 1 - 1e-3) line.emplace_back(turns[i], share);
  }
  if (line.empty() || scaling.factor == 1) return std::nullopt;
  if (line.size() == 1) {  // of a narrow head; the usual limits say the rest
    scaling.original_context =
        (1 + line[0].second * (scaling.high_freq_factor - 1)) / line[0].first;
  } else {
    const auto [x0, y0] = line.front();
    const auto [x1, y1] = line.back();
    const double slope = (y1 - y0) / (x1 - x0), at_zero = y0 - slope * x0;
    scaling.high_freq_factor = 1 - 1 / at_zero;
    scaling.original_context = slope * (scaling.high_freq_factor - 1);
  }
  for (double* number : {&scaling.high_freq_factor, &scaling.original_context})
    if (std::fabs(*number - std::nearbyint(*number)) < 1e-3 * *number)
      *number = std::nearbyint(*number);
  if (!gives(scaling, divisors, turns)) return std::nullopt;
  return scaling;
}

}  // namespace nibble
