#include "model/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

struct Candidate {
  float logit = 0;
  std::int32_t id = 0;
};

// Falling by logit, rising by id: the same order on every machine.
bool more_likely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

std::vector<double> softmax(std::span<const Candidate> sorted, double temperature) {
  std::vector<double> shares;
  double total = 0;
  for (const Candidate& candidate : sorted) {
    shares.push_back(
        std::exp((static_cast<double>(candidate.logit) - sorted[0].logit) / temperature));
    total += shares.back();
  }
  for (double& share : shares) share /= total;
  return shares;
}

// Draws from softmax(logits) without sorting: for sampling that keeps every token.
std::int32_t draw_from_all(std::span<const Candidate> candidates, double temperature,
                           double uniform) {
  float top = candidates[0].logit;
  for (const Candidate& candidate : candidates) top = std::max(top, candidate.logit);
  std::vector<float> shares(candidates.size());
  double total = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    shares[i] = std::exp((candidates[i].logit - top) / static_cast<float>(temperature));
    total += shares[i];
  }
  double left = uniform * total;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    left -= shares[i];
    if (left < 0) return candidates[i].id;
  }
  return candidates.back().id;
}

}  // namespace

std::int32_t most_likely(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}

std::int32_t Sampler::pick(std::span<const float> logits, std::span<const std::int32_t> past) {
  std::vector<Candidate> candidates(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == INFINITY)
      throw Error(ErrorKind::kNumeric, cat("the logit of token ", i, " is ", logits[i]));
    candidates[i] = {logits[i], static_cast<std::int32_t>(i)};
  }
  if (options_.repeat_penalty != 1) {
    std::vector<std::int32_t> recent(
        past.end() - static_cast<std::ptrdiff_t>(std::min(past.size(), options_.repeat_last)),
        past.end());
    std::sort(recent.begin(), recent.end());
    recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
    for (const std::int32_t id : recent) {
      float& logit = candidates[static_cast<std::size_t>(id)].logit;
      logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    }
  }
  if (options_.temperature <= 0)
    return std::min_element(candidates.begin(), candidates.end(), more_likely)->id;

  const bool keeps_all = options_.top_k == 0 && options_.top_p >= 1 && options_.min_p <= 0;
  if (keeps_all) return draw_from_all(candidates, options_.temperature, random_.uniform());
  const std::size_t keep =
      options_.top_k == 0 ? candidates.size() : std::min(options_.top_k, candidates.size());
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(keep),
                    candidates.end(), more_likely);
  candidates.resize(keep);
  const auto shares = softmax(candidates, 1);
  std::size_t count = 0;
  double covered = 0;
  while (count < keep &&
         (count == 0 || (covered < options_.top_p && shares[count] >= options_.min_p * shares[0])))
    covered += shares[count++];
  candidates.resize(count);

  double left = random_.uniform();
  const auto final_shares = softmax(candidates, options_.temperature);
  for (std::size_t i = 0; i < count; ++i) {
    left -= final_shares[i];
    if (left < 0) return candidates[i].id;
  }
  return candidates.back().id;
}

}  // namespace nibble
