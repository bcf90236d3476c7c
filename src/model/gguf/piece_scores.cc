// Whole numbers: floats hold them exactly up to 16 million, far above the number of merges.
#include "model/gguf/piece_scores.h"

#include <algorithm>
#include <optional>
#include <string>

#include "model/gguf/token_type.h"

namespace nibble {
namespace {

// Nothing is merged into these; the values are those that other programs write.
constexpr float kOfAddedTokens = -1000, kOfUnusedIds = -10000;

}  // namespace

std::vector<std::int32_t> merge_order(const tokenizer::TokenizerFile& file,
                                      const Tokenizer& tokenizer, std::size_t count) {
  std::vector<std::int32_t> order(count, -1);
  std::int32_t next = 0;
  for (std::size_t i = 0; i + 1 < file.merges.size(); i += 2) {
    const std::string merged = std::string(file.merges[i]).append(file.merges[i + 1]);
    const auto id = tokenizer.token_id(merged);
    if (!id || static_cast<std::size_t>(*id) >= count) continue;
    if (std::int32_t& place = order[static_cast<std::size_t>(*id)]; place < 0) place = next++;
  }
  return order;
}

std::vector<float> piece_scores(std::span<const std::int32_t> order,
                                std::span<const std::int32_t> types) {
  std::vector<float> scores(types.size(), 0.0f);
  std::int32_t next = 0;
  for (const std::int32_t place : order) next = std::max(next, place + 1);
  for (std::size_t id = 0; id < types.size(); ++id) {
    if (types[id] == gguf_token::kNormal)
      scores[id] = static_cast<float>(-(order[id] >= 0 ? order[id] : next++));
    if (types[id] == gguf_token::kUserDefined) scores[id] = kOfAddedTokens;
    if (types[id] == gguf_token::kUnused) scores[id] = kOfUnusedIds;
  }
  return scores;
}

}  // namespace nibble
