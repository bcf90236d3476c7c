// How often each word occurs in a text: all that training a tokenizer needs of it. Words are what
// GPT-2's pattern cuts a text into, as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"

namespace nibble::tokenizer {

class WordCounts {
 public:
  void add(std::string_view word, std::uint64_t count = 1);

  std::size_t size() const { return counts_.size(); }  // different words
  std::string_view word(std::size_t i) const {
    return std::string_view(text_).substr(begins_[i], begins_[i + 1] - begins_[i]);
  }
  std::uint64_t count(std::size_t i) const { return counts_[i]; }
  std::size_t bytes() const { return text_.size(); }  // of the different words together

 private:
  void grow();

  std::string text_;
  std::vector<std::uint64_t> begins_{0};
  std::vector<std::uint64_t> counts_;
  std::vector<std::uint32_t> slots_;  // index + 1, 0: empty; a power of two, at most half full
};

// Where a text is cut before its words are looked for.
enum class TextCut {
  kLines,  // behind each line's end: a word holds one line end at most
  kNone,   // words may hold several line ends, and blanks behind them
};

// Adds the words of `text` (well-formed UTF-8), on all threads. Memory beside `words` stays below
// some hundred MiB however long the text is. The counts do not depend on the number of threads, the
// order of the words neither. Throws kInterrupted, and kUnsupported for 2³² different words.
void count_words(std::string_view text, TextCut cut, WordCounts& words,
                 const ProgressSink& progress = {});
// The same for texts that begin and end where they do: each is one with TextCut::kNone.
void count_words(std::span<const std::string> texts, WordCounts& words);

}  // namespace nibble::tokenizer
