// exp of the mean negative log-probability of a text's tokens.
#pragma once

#include <span>

#include "evaluate/score_windows.h"

namespace nibble {

// −log of the probability that a row of logits gives to `target`.
double negative_log_probability(std::span<const float> logits, std::int32_t target);

PerplexityResult perplexity(const ScoredModel& model, const ScoredText& text,
                            const TokensDone& progress = {});

}  // namespace nibble
