// The few tokens that sampling chooses among, found without sorting a vocabulary.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

struct Candidate {
  float logit = 0;
  std::int32_t id = 0;
};

// The `count` largest logits, falling; the lower id first where they are equal, so that every
// machine has the same order. Work grows with the vocabulary, hardly with `count`.
std::vector<Candidate> largest(std::span<const float> logits, std::size_t count);

// Shares of candidates, falling by logit.
std::vector<double> softmax(std::span<const Candidate> sorted, double temperature);

// Top-p, then min-p: the first of `sorted` that together have the share `top_p` among them, and of
// these the ones with at least `min_p` of the first one's share. At least one.
std::vector<Candidate> most_likely_of_few(std::vector<Candidate> sorted, double top_p,
                                          double min_p);
// The same among all logits, whose largest is `top`.
std::vector<Candidate> most_likely_of_all(std::span<const float> logits, float top, double top_p,
                                          double min_p);

}  // namespace nibble
