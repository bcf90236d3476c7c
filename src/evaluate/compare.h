// Two models on the same text, position by position, without a file of logits between them.
#pragma once

#include <span>

#include "evaluate/divergence.h"
#include "evaluate/kept_scores.h"
#include "evaluate/score_windows.h"

namespace nibble {

// `kept`: where to go on from, and what to tell; null: neither.
CompareResult compare(const ScoredModel& base, const ScoredModel& other, const ScoredText& text,
                      const TokensDone& progress = {}, KeptScores* kept = nullptr);

// What the positions add up to.
CompareResult summarise(std::span<const PositionDifference> positions);

}  // namespace nibble
