#include "model/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;

Ids ids_of(const std::vector<Candidate>& candidates) {
  Ids ids;
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  return ids;
}

// All of them, falling; the reference for what is found without sorting.
std::vector<Candidate> sorted(const std::vector<float>& logits) {
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < logits.size(); ++i)
    all.push_back({logits[i], static_cast<std::int32_t>(i)});
  std::stable_sort(all.begin(), all.end(),
                   [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
  return all;
}

// Few different values, so that many are equal.
std::vector<float> coarse_logits(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = std::floor(static_cast<float>(random.normal()) * 8) / 4;
  return logits;
}

TEST(Candidates, FindsTheLargestInTheOrderOfASort) {
  for (const std::size_t size : {1u, 7u, 100u, 5000u}) {
    const auto logits = coarse_logits(size, size);
    const Ids all = ids_of(sorted(logits));
    for (const std::size_t count : {1u, 2u, 40u, 100u, 4999u, 10000u})
      EXPECT_EQ(ids_of(largest(logits, count)),
                Ids(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(count, size))))
          << count << " of " << size;
  }
}

TEST(Candidates, FindsTheLargestOfRisingAndFallingLogits) {
  std::vector<float> rising(3000);
  for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<float>(i);
  EXPECT_EQ(ids_of(largest(rising, 3)), (Ids{2999, 2998, 2997}));
  std::reverse(rising.begin(), rising.end());
  EXPECT_EQ(ids_of(largest(rising, 3)), (Ids{0, 1, 2}));
}

TEST(Candidates, KeepsTheSameTokensWithAndWithoutSortingAll) {
  const auto logits = coarse_logits(5000, 3);
  const float top = *std::max_element(logits.begin(), logits.end());
  for (const double top_p : {0.0, 0.3, 0.95, 0.999, 1.0})
    for (const double min_p : {0.0, 0.05, 0.5, 1.0})
      EXPECT_EQ(ids_of(most_likely_of_all(logits, top, top_p, min_p)),
                ids_of(most_likely_of_few(sorted(logits), top_p, min_p)))
          << top_p << " " << min_p;
}

TEST(Candidates, KeepsWhatIsNeededOfEqualLogits) {
  const std::vector<float> equal(1000, 2.5f);
  EXPECT_EQ(most_likely_of_all(equal, 2.5f, 0.4995, 0).size(), 500u);
}

}  // namespace
}  // namespace nibble
