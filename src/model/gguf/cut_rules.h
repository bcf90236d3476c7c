// What `tokenizer.ggml.model` and `tokenizer.ggml.pre` may say, and what these words mean: one
// table, read from left to right by who opens a file and from right to left by who writes one.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace nibble {

enum class GgufTokenizerKind {
  kByteLevel,  // merges by rank, over bytes spelled as characters
  kPieces,     // merges by score, with "<0xHH>" tokens
};

struct NamedKind {
  std::string_view name;
  GgufTokenizerKind kind;
};
std::span<const NamedKind> gguf_tokenizer_kinds();

// How text is cut before merging. Each expression cuts what the ones before it left whole.
struct CutRules {
  std::array<std::string_view, 4> expressions{};  // the last ones may be empty: no cut
  bool whole_words_first = false;                 // a word that is a token needs no merges
  bool begins_with_bos = false;                   // unless the file says otherwise
  bool composed = false;                          // to NFC first
};

struct NamedCuts {
  std::string_view name;  // may be empty: what a file without a name means
  const CutRules* rules;
};
// In the order of tokenizer.def. Of several names for the same rules the first is written.
std::span<const NamedCuts> gguf_cuts();

}  // namespace nibble
