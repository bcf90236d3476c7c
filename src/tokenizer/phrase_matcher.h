// Finds given phrases in a text: at every place the longest one, then on behind it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nibble::tokenizer {

struct PhraseMatch {
  std::size_t begin = 0, end = 0;
  std::int32_t value = 0;
};

class PhraseMatcher {
 public:
  PhraseMatcher();
  // A phrase added twice keeps its first value. Not empty; at most kMaxPhraseBytes.
  void add(std::string_view phrase, std::int32_t value);
  // The first match that begins at `from` or later.
  std::optional<PhraseMatch> find(std::string_view text, std::size_t from) const;
  bool empty() const { return nodes_.size() == 1; }

  static constexpr std::size_t kMaxPhraseBytes = 1024;

 private:
  struct Node {
    std::uint32_t child = 0, sibling = 0;  // 0: none
    std::int32_t value = -1;               // of the phrase that ends here
    unsigned char byte = 0;
  };
  std::uint32_t child_of(std::uint32_t node, unsigned char byte) const;
  std::vector<Node> nodes_;                 // a trie; the root is node 0
  std::array<std::uint32_t, 256> first_{};  // children of the root
};

}  // namespace nibble::tokenizer
