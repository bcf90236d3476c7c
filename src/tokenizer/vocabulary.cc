// A hash table with open addressing for token -> id, an array for id -> token.
#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kMaxTokens = std::size_t{1} << 24;

}  // namespace

Vocabulary::Vocabulary(TextList tokens, std::vector<std::int64_t> ids)
    : tokens_(std::move(tokens)) {
  if (tokens_.size() > kMaxTokens)
    throw Error(ErrorKind::kUnsupported,
                cat("a vocabulary of ", tokens_.size(), " tokens; the limit is ", kMaxTokens));
  const auto count = static_cast<std::int64_t>(tokens_.size());
  const std::int64_t bound = 4 * count + (1 << 20);
  std::int64_t highest = -1;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= bound)
      throw Error(ErrorKind::kCorruptFile,
                  cat("token \"", tokens_[i].substr(0, 60), "\" has the id ", ids[i], "; with ",
                      count, " tokens, ids from 0 to ", bound - 1, " are accepted"));
    highest = std::max(highest, ids[i]);
  }
  index_of_id_.assign(static_cast<std::size_t>(highest + 1), -1);
  slots_.assign(std::bit_ceil(tokens_.size() * 2 + 1), -1);
  ids_.reserve(tokens_.size());
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view token = tokens_[i];
    std::int32_t& named = index_of_id_[static_cast<std::size_t>(ids[i])];
    if (named >= 0)
      throw Error(ErrorKind::kCorruptFile,
                  cat("tokens \"", tokens_[static_cast<std::size_t>(named)].substr(0, 60),
                      "\" and \"", token.substr(0, 60), "\" have the same id ", ids[i]));
    named = static_cast<std::int32_t>(i);
    ids_.push_back(static_cast<std::int32_t>(ids[i]));
    std::size_t slot = hash_text(token) & mask;
    for (; slots_[slot] >= 0; slot = (slot + 1) & mask)
      if (tokens_[static_cast<std::size_t>(slots_[slot])] == token)
        throw Error(ErrorKind::kCorruptFile,
                    cat("token \"", token.substr(0, 60), "\" is given twice"));
    slots_[slot] = static_cast<std::int32_t>(i);
  }
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash_text(token) & mask; slots_[slot] >= 0; slot = (slot + 1) & mask) {
    const auto index = static_cast<std::size_t>(slots_[slot]);
    if (tokens_[index] == token) return ids_[index];
  }
  return std::nullopt;
}

std::optional<std::string_view> Vocabulary::text(std::int32_t id) const {
  if (id < 0 || id > highest_id()) return std::nullopt;
  const std::int32_t index = index_of_id_[static_cast<std::size_t>(id)];
  if (index < 0) return std::nullopt;
  return tokens_[static_cast<std::size_t>(index)];
}

}  // namespace nibble::tokenizer
