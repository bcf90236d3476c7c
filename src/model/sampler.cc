#include "model/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "model/candidates.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// The largest logit. One pass that a compiler can widen; the culprit is looked for only if there
// is one.
float checked_top(std::span<const float> logits) {
  float top = -INFINITY;
  bool good = true;
  for (const float logit : logits) {
    good &= logit < INFINITY;  // false for NaN too
    top = std::max(top, logit);
  }
  if (!good)
    for (std::size_t i = 0; i < logits.size(); ++i)
      if (!(logits[i] < INFINITY))
        throw Error(ErrorKind::kNumeric, cat("the logit of token ", i, " is ", logits[i]));
  if (top == -INFINITY) throw Error(ErrorKind::kNumeric, "no token has a finite logit");
  return top;
}

// Draws from softmax(logits) without sorting: for sampling that keeps every token.
std::int32_t draw_from_all(std::span<const float> logits, float top, float temperature,
                           double uniform) {
  std::vector<float> shares(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    shares[i] = std::exp((logits[i] - top) / temperature);
    total += shares[i];
  }
  double left = uniform * total;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    left -= shares[i];
    if (left < 0) return static_cast<std::int32_t>(i);
  }
  return static_cast<std::int32_t>(logits.size()) - 1;
}

std::int32_t draw(std::span<const Candidate> sorted, double temperature, double uniform) {
  const auto shares = softmax(sorted, temperature);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    uniform -= shares[i];
    if (uniform < 0) return sorted[i].id;
  }
  return sorted.back().id;
}

}  // namespace

std::int32_t most_likely(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}

bool Sampler::penalizes() const {
  return options_.repeat_last > 0 &&
         (options_.repeat_penalty != 1 || options_.presence_penalty != 0 ||
          options_.frequency_penalty != 0);
}

void Sampler::penalize(std::span<const std::int32_t> past) {
  const auto window = past.last(std::min(past.size(), options_.repeat_last));
  std::vector<std::int32_t> recent(window.begin(), window.end());
  std::sort(recent.begin(), recent.end());
  for (auto first = recent.begin(); first != recent.end();) {
    const auto last = std::upper_bound(first, recent.end(), *first);
    float& logit = penalized_[static_cast<std::size_t>(*first)];
    logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    logit -=
        options_.presence_penalty + options_.frequency_penalty * static_cast<float>(last - first);
    first = last;
  }
}

std::int32_t Sampler::pick(std::span<const float> logits, std::span<const std::int32_t> past) {
  if (penalizes()) {
    checked_top(logits);  // before a penalty hides which token it is
    penalized_.assign(logits.begin(), logits.end());
    penalize(past);
    logits = penalized_;
  }
  const float top = checked_top(logits);
  if (options_.temperature <= 0)
    return static_cast<std::int32_t>(std::find(logits.begin(), logits.end(), top) - logits.begin());
  const bool keeps_all = options_.top_k == 0 && options_.top_p >= 1 && options_.min_p <= 0;
  if (keeps_all) return draw_from_all(logits, top, options_.temperature, random_.uniform());
  const auto kept =
      options_.top_k > 0
          ? most_likely_of_few(largest(logits, options_.top_k), options_.top_p, options_.min_p)
          : most_likely_of_all(logits, top, options_.top_p, options_.min_p);
  return draw(kept, options_.temperature, random_.uniform());
}

}  // namespace nibble
