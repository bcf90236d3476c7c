#include "train/adamw.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/parallel.h"

namespace nibble {
namespace {

constexpr std::size_t kGrain = 16384;

}  // namespace

Parameter::Parameter(std::string full_name, std::span<float> elements, bool decay)
    : name(std::move(full_name)),
      values(elements),
      gradient(elements.size()),
      mean(elements.size()),
      square(elements.size()),
      decays(decay) {}

void adamw_step(std::span<Parameter> parameters, const AdamWOptions& options, double learning_rate,
                std::size_t step) {
  const auto t = static_cast<double>(step);
  const double correct1 = 1 - std::pow(options.beta1, t), correct2 = 1 - std::pow(options.beta2, t);
  const auto root = static_cast<float>(1 / std::sqrt(correct2));
  const auto beta1 = static_cast<float>(options.beta1), beta2 = static_cast<float>(options.beta2);
  const auto epsilon = static_cast<float>(options.epsilon);
  for (Parameter& p : parameters) {
    const double decay = p.decays ? options.weight_decay : 0;
    const auto rate = static_cast<float>(learning_rate * p.rate / correct1);
    const auto kept = static_cast<float>(1 - learning_rate * p.rate * decay);
    parallel_ranges(p.values.size(), kGrain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const float g = p.gradient[i];
        p.mean[i] += (1 - beta1) * (g - p.mean[i]);
        p.square[i] = beta2 * p.square[i] + (1 - beta2) * g * g;
        const float size = std::sqrt(p.square[i]) * root + epsilon;
        p.values[i] = p.values[i] * kept - rate * p.mean[i] / size;
      }
    });
  }
}

double gradient_norm(std::span<const Parameter> parameters) {
  double total = 0;
  for (const Parameter& p : parameters) {
    std::vector<double> shares((p.gradient.size() + kGrain - 1) / kGrain);
    parallel_ranges(p.gradient.size(), kGrain, [&](std::size_t begin, std::size_t end) {
      double sum = 0;
      for (std::size_t i = begin; i < end; ++i)
        sum += static_cast<double>(p.gradient[i]) * static_cast<double>(p.gradient[i]);
      shares[begin / kGrain] = sum;
    });
    for (const double share : shares) total += share;
  }
  return std::sqrt(total);
}

void scale_gradients(std::span<Parameter> parameters, double factor) {
  for (Parameter& p : parameters)
    for (float& g : p.gradient) g *= static_cast<float>(factor);
}

void clear_gradients(std::span<Parameter> parameters) {
  for (Parameter& p : parameters) std::fill(p.gradient.begin(), p.gradient.end(), 0.0f);
}

}  // namespace nibble
