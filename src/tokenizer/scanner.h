// Hand-written equals of the well-known patterns: the regular expression engine would take most of
// the time of encoding. Every character belongs to exactly one match of these patterns.
#pragma once

#include <cstddef>
#include <string_view>

namespace nibble::tokenizer {

class Scanner {
 public:
  virtual ~Scanner() = default;
  // Where the match that starts at `begin` < text.size() ends.
  virtual std::size_t match_end(std::string_view text, std::size_t begin) const = 0;
};

// GPT-2's own, which the pre-tokenizer ByteLevel cuts with.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Null when the expression is not one of the known ones.
const Scanner* known_scanner(std::string_view expression);

}  // namespace nibble::tokenizer
