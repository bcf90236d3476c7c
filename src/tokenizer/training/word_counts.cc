// The text is cut into tiles where no word ends differently for it; each tile is counted by one
// thread into a table of its own, and the tables are added up in the order of the text.
#include "tokenizer/training/word_counts.h"

#include <algorithm>
#include <functional>

#include "base/parallel.h"
#include "nibble/error.h"
#include "tokenizer/scanner.h"
#include "tokenizer/text_list.h"

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kTileBytes = std::size_t{1} << 20;
constexpr std::size_t kTilesAtOnce = 32;  // their tables exist at the same time
constexpr std::uint32_t kMaxWords = UINT32_MAX - 1;

void count_piece(std::string_view text, const Scanner& scanner, WordCounts& words) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = scanner.match_end(text, begin);
    words.add(text.substr(begin, end - begin));
    begin = end;
  }
}

void count_lines(std::string_view text, const Scanner& scanner, WordCounts& words) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    count_piece(text.substr(0, end), scanner, words);
    text.remove_prefix(end);
  }
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The first place from `from` on where a tile may end. A blank between two letters begins a word of
// the pattern, whatever stands around it.
std::size_t tile_end(std::string_view text, std::size_t from, TextCut cut) {
  if (from >= text.size()) return text.size();
  if (cut == TextCut::kLines) return std::min(text.find('\n', from), text.size() - 1) + 1;
  for (auto at = text.find(' ', from); at < text.size() - 1; at = text.find(' ', at + 1))
    if (is_letter(text[at - 1]) && is_letter(text[at + 1])) return at;
  return text.size();
}

// Counts tiles with `count` and adds them to `words`.
void count_tiles(std::size_t tiles, WordCounts& words,
                 const std::function<void(std::size_t, WordCounts&)>& count) {
  std::vector<WordCounts> tables(tiles);
  parallel_for(tiles, [&](std::size_t i) { count(i, tables[i]); });
  for (WordCounts& table : tables) {
    for (std::size_t i = 0; i < table.size(); ++i) words.add(table.word(i), table.count(i));
    table = {};
  }
}

}  // namespace

void WordCounts::add(std::string_view word, std::uint64_t count) {
  if (counts_.size() * 2 >= slots_.size()) grow();
  std::size_t slot = hash_text(word) & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1))
    if (const std::size_t index = slots_[slot] - 1; this->word(index) == word) {
      counts_[index] += count;
      return;
    }
  if (counts_.size() >= kMaxWords)
    throw Error(ErrorKind::kUnsupported, "the text has more than four billion different words");
  text_ += word;
  begins_.push_back(text_.size());
  counts_.push_back(count);
  slots_[slot] = static_cast<std::uint32_t>(counts_.size());
}

void WordCounts::grow() {
  slots_.assign(slots_.empty() ? 1024 : slots_.size() * 4, 0);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    std::size_t slot = hash_text(word(i)) & (slots_.size() - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

void count_words(std::string_view text, TextCut cut, WordCounts& words,
                 const ProgressSink& progress) {
  const Scanner& scanner = *known_scanner(kGpt2Pattern);
  for (std::size_t begin = 0; begin < text.size();) {
    throw_if_stopped();
    if (progress)
      progress({"Words", "", static_cast<double>(begin), static_cast<double>(text.size())});
    std::vector<std::string_view> tiles;
    while (tiles.size() < kTilesAtOnce && begin < text.size()) {
      const std::size_t end = tile_end(text, begin + kTileBytes, cut);
      tiles.push_back(text.substr(begin, end - begin));
      begin = end;
    }
    count_tiles(tiles.size(), words, [&](std::size_t i, WordCounts& table) {
      if (cut == TextCut::kLines)
        count_lines(tiles[i], scanner, table);
      else
        count_piece(tiles[i], scanner, table);
    });
  }
  if (progress)
    progress({"Words", "", static_cast<double>(text.size()), static_cast<double>(text.size())});
}

void count_words(std::span<const std::string> texts, WordCounts& words) {
  const Scanner& scanner = *known_scanner(kGpt2Pattern);
  for (std::size_t first = 0; first < texts.size();) {
    throw_if_stopped();
    std::vector<std::span<const std::string>> tiles;
    while (tiles.size() < kTilesAtOnce && first < texts.size()) {
      std::size_t last = first, bytes = 0;
      while (last < texts.size() && bytes < kTileBytes) bytes += texts[last++].size();
      tiles.push_back(texts.subspan(first, last - first));
      first = last;
    }
    count_tiles(tiles.size(), words, [&](std::size_t i, WordCounts& table) {
      for (const std::string& text : tiles[i]) count_piece(text, scanner, table);
    });
  }
}

}  // namespace nibble::tokenizer
