#include "model/candidates.h"

#include <algorithm>
#include <cmath>

namespace nibble {
namespace {

// Falling by logit, rising by id.
bool more_likely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// The first `count` of an order that is needed from its beginning only as far as it is read.
class SortedOnDemand {
 public:
  explicit SortedOnDemand(std::vector<Candidate> all) : all_(std::move(all)) {}
  std::size_t size() const { return all_.size(); }
  const Candidate& operator[](std::size_t index) {
    while (index >= sorted_) sort_more();
    return all_[index];
  }
  std::vector<Candidate> take(std::size_t count) {
    all_.resize(count);
    return std::move(all_);
  }

 private:
  void sort_more() {
    constexpr std::size_t kFirst = 64;
    const std::size_t end = std::min(all_.size(), std::max(kFirst, 4 * sorted_));
    const auto begin = all_.begin() + static_cast<std::ptrdiff_t>(sorted_);
    const auto middle = all_.begin() + static_cast<std::ptrdiff_t>(end);
    if (middle != all_.end()) std::nth_element(begin, middle, all_.end(), more_likely);
    std::sort(begin, middle, more_likely);
    sorted_ = end;
  }

  std::vector<Candidate> all_;
  std::size_t sorted_ = 0;
};

}  // namespace

std::vector<Candidate> largest(std::span<const float> logits, std::size_t count) {
  count = std::min(count, logits.size());
  // Candidates gather until there are twice as many as wanted, then the better half stays: what
  // comes later must beat the worst of that half.
  const std::size_t full = 2 * std::max<std::size_t>(count, 32);
  std::vector<Candidate> best;
  best.reserve(std::min(full, logits.size()));
  float bar = -INFINITY;
  const auto keep_best = [&] {
    if (best.size() <= count) return;
    std::nth_element(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                     best.end(), more_likely);
    best.resize(count);
  };
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // An equal logit with a higher id is no better, so the bar itself does not pass.
    if (!(logits[i] > bar) && best.size() >= count) continue;
    best.push_back({logits[i], static_cast<std::int32_t>(i)});
    if (best.size() < full) continue;
    keep_best();
    bar = best[count - 1].logit;
  }
  keep_best();
  std::sort(best.begin(), best.end(), more_likely);
  return best;
}

std::vector<double> softmax(std::span<const Candidate> sorted, double temperature) {
  std::vector<double> shares;
  shares.reserve(sorted.size());
  double total = 0;
  for (const Candidate& candidate : sorted) {
    shares.push_back(
        std::exp((static_cast<double>(candidate.logit) - sorted[0].logit) / temperature));
    total += shares.back();
  }
  for (double& share : shares) share /= total;
  return shares;
}

std::vector<Candidate> most_likely_of_few(std::vector<Candidate> sorted, double top_p,
                                          double min_p) {
  const auto shares = softmax(sorted, 1);
  std::size_t count = 0;
  double covered = 0;
  while (count < sorted.size() &&
         (count == 0 || (covered < top_p && shares[count] >= min_p * shares[0])))
    covered += shares[count++];
  sorted.resize(count);
  return sorted;
}

std::vector<Candidate> most_likely_of_all(std::span<const float> logits, float top, double top_p,
                                          double min_p) {
  // Of the largest share. What is below 1 - top_p over the vocabulary's size cannot be needed: all
  // such tokens together have less than 1 - top_p.
  double least = min_p;
  double total = 0;
  if (top_p < 1) {
    for (const float logit : logits) total += std::exp(logit - top);
    const double needless = (1 - top_p) / static_cast<double>(logits.size()) * total;
    least = std::max(least, std::min(needless, 1.0));
  }
  // A little lower, as the products below round otherwise than this logarithm.
  const float bar = least > 0 ? top + static_cast<float>(std::log(least)) - 1e-3f : -INFINITY;
  std::vector<Candidate> found;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] >= bar) found.push_back({logits[i], static_cast<std::int32_t>(i)});
  SortedOnDemand candidates(std::move(found));
  std::size_t count = 0;
  double covered = 0;
  for (; count < candidates.size(); ++count) {
    const double share = std::exp(static_cast<double>(candidates[count].logit) - top);
    if (count > 0 && (share < min_p || (top_p < 1 && covered >= top_p * total))) break;
    covered += share;
  }
  return candidates.take(count);
}

}  // namespace nibble
