// A trie, walked from every place whose byte begins a phrase.
#include "tokenizer/phrase_matcher.h"

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kMaxNodes = 4 << 20;

}  // namespace

PhraseMatcher::PhraseMatcher() : nodes_(1) {}

std::uint32_t PhraseMatcher::child_of(std::uint32_t node, unsigned char byte) const {
  if (node == 0) return first_[byte];
  std::uint32_t child = nodes_[node].child;
  while (child != 0 && nodes_[child].byte != byte) child = nodes_[child].sibling;
  return child;
}

void PhraseMatcher::add(std::string_view phrase, std::int32_t value) {
  if (phrase.empty() || phrase.size() > kMaxPhraseBytes)
    throw Error(ErrorKind::kUnsupported,
                cat("an added token of ", phrase.size(), " bytes; the limit is ", kMaxPhraseBytes));
  std::uint32_t node = 0;
  for (const char letter : phrase) {
    const auto byte = static_cast<unsigned char>(letter);
    std::uint32_t child = child_of(node, byte);
    if (child == 0) {
      if (nodes_.size() >= kMaxNodes)
        throw Error(ErrorKind::kUnsupported,
                    cat("added tokens of more than ", kMaxNodes, " bytes in all"));
      child = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({.sibling = nodes_[node].child, .byte = byte});
      nodes_[node].child = child;
      if (node == 0) first_[byte] = child;
    }
    node = child;
  }
  if (nodes_[node].value < 0) nodes_[node].value = value;
}

std::optional<PhraseMatch> PhraseMatcher::find(std::string_view text, std::size_t from) const {
  if (empty()) return std::nullopt;
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    std::uint32_t node = first_[static_cast<unsigned char>(text[begin])];
    std::optional<PhraseMatch> longest;
    for (std::size_t end = begin + 1; node != 0; ++end) {
      if (nodes_[node].value >= 0) longest = {begin, end, nodes_[node].value};
      if (end == text.size()) break;
      node = child_of(node, static_cast<unsigned char>(text[end]));
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

}  // namespace nibble::tokenizer
