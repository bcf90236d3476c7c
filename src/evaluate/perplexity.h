// exp of the mean negative log-probability of a text's tokens.
#pragma once

#include <span>

#include "evaluate/kept_scores.h"
#include "evaluate/score_windows.h"

namespace nibble {

// −log of the probability that a row of logits gives to `target`.
double negative_log_probability(std::span<const float> logits, std::int32_t target);

// `kept`: where to go on from, and what to tell; null: neither.
PerplexityResult perplexity(const ScoredModel& model, const ScoredText& text,
                            const TokensDone& progress = {}, KeptScores* kept = nullptr);

}  // namespace nibble
