// Merge rules for vocabularies that have scores instead: SentencePiece joins the two neighbours
// whose joined text is the piece with the highest score.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/text_list.h"
#include "tokenizer/tokenizer_file.h"

namespace nibble::tokenizer {

// The pieces that text may become, in three lists of equal length.
struct ScoredPieces {
  TextList texts;  // well-formed UTF-8, each once
  std::vector<std::int64_t> ids;
  std::vector<float> scores;  // no NaN
};

// One rule for each way to cut a piece into two others; pieces of equal score have equal rank.
// Throws kUnsupported for pieces, or a number of rules, far beyond those of any trained vocabulary.
std::vector<MergeRule> score_merges(ScoredPieces pieces);

}  // namespace nibble::tokenizer
