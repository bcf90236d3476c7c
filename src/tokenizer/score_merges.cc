#include "tokenizer/score_merges.h"

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "nibble/error.h"
#include "tokenizer/unicode.h"
#include "tokenizer/vocabulary.h"

namespace nibble::tokenizer {
namespace {

// Trained pieces have at most some dozens of characters and two rules on average; without limits a
// small file could ask for work and memory in the square of its size.
constexpr std::size_t kMaxPieceBytes = 256;
constexpr std::size_t kRulesPerPiece = 8, kRulesAlways = 1 << 16;

// Rank of each piece: how many different scores lie above its own.
std::vector<std::uint32_t> ranks_of(const std::vector<float>& scores) {
  std::vector<float> steps = scores;
  std::sort(steps.begin(), steps.end(), std::greater<>());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  std::vector<std::uint32_t> ranks;
  ranks.reserve(scores.size());
  for (const float score : scores) {
    const auto at = std::lower_bound(steps.begin(), steps.end(), score, std::greater<>());
    ranks.push_back(static_cast<std::uint32_t>(at - steps.begin()));
  }
  return ranks;
}

}  // namespace

std::vector<MergeRule> score_merges(ScoredPieces pieces) {
  const std::vector<std::uint32_t> ranks = ranks_of(pieces.scores);
  const Vocabulary vocabulary(pieces.texts, pieces.ids);
  const std::size_t limit = kRulesAlways + kRulesPerPiece * pieces.texts.size();
  std::vector<MergeRule> rules;
  for (std::size_t i = 0; i < pieces.texts.size(); ++i) {
    const std::string_view text = pieces.texts[i];
    if (text.size() > kMaxPieceBytes)
      throw Error(ErrorKind::kUnsupported,
                  cat("a piece of ", text.size(), " bytes (\"", lossy_utf8(text.substr(0, 40)),
                      "…\"); the limit is ", kMaxPieceBytes));
    for (std::size_t cut = character_bytes(text[0]); cut < text.size();
         cut += character_bytes(text[cut])) {
      const auto left = vocabulary.find(text.substr(0, cut));
      if (!left) continue;
      const auto right = vocabulary.find(text.substr(cut));
      if (!right) continue;
      if (rules.size() >= limit)
        throw Error(ErrorKind::kUnsupported,
                    cat("more than ", limit, " merges follow from ", pieces.texts.size(),
                        " pieces; trained vocabularies have about two for each"));
      rules.push_back({*left, *right, static_cast<std::int32_t>(pieces.ids[i]), ranks[i]});
    }
  }
  return rules;
}

}  // namespace nibble::tokenizer
