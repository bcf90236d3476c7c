// Text on its way through the pre-tokenizers: one string and the pieces it is cut into.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace nibble::tokenizer {

// Bytes [begin, end) of Pieces::text.
struct Range {
  std::uint32_t begin = 0, end = 0;
};

struct Pieces {
  std::string text;           // well-formed UTF-8, below 4 GiB
  std::vector<Range> ranges;  // in order, not empty, not overlapping
  bool at_start = false;      // the first piece begins where the user's text begins

  std::string_view operator[](std::size_t i) const {
    return std::string_view(text).substr(ranges[i].begin, ranges[i].end - ranges[i].begin);
  }
};

// What becomes of the matches of a pattern. Merged: a match joins its neighbour that is no match;
// of several matches in a row the nearest one does.
enum class Behavior { kIsolated, kRemoved, kContiguous, kMergedWithPrevious, kMergedWithNext };

// "behavior" of the settings: "Isolated", "MergedWithNext", …
Behavior read_behavior(const Json& settings, std::string_view otherwise);

// Cuts the pieces again, each at the matches found in it:
//   Cutter cutter(pieces, behavior, invert);
//   for each piece i: cutter.begin(i); for each match: cutter.match(from, to); cutter.end();
//   cutter.finish();
// `from` and `to` count from the start of the piece; invert swaps matches and what lies between.
class Cutter {
 public:
  Cutter(Pieces& pieces, Behavior behavior, bool invert = false);
  void begin(std::size_t piece);
  void match(std::size_t from, std::size_t to);
  void end();
  void finish();

 private:
  void part(Range range, bool is_match);
  void put(Range range);

  Pieces& pieces_;
  Behavior behavior_;
  bool invert_;
  std::vector<Range> cut_;
  Range piece_;
  std::uint32_t seen_ = 0;          // end of the last match
  std::size_t first_of_piece_ = 0;  // index in cut_
  bool previous_was_match_ = false;
  bool waiting_ = false;  // kMergedWithNext: waiting_match_ looks for its neighbour
  Range waiting_match_;
  bool first_cut_ = true;
};

// Calls cut(text of the piece, cutter) for every piece.
template <typename Cut>
void cut_each(Pieces& pieces, Behavior behavior, bool invert, Cut&& cut) {
  Cutter cutter(pieces, behavior, invert);
  for (std::size_t i = 0; i < pieces.ranges.size(); ++i) {
    cutter.begin(i);
    cut(pieces[i], cutter);
    cutter.end();
  }
  cutter.finish();
}

// Every character of which is(character) is true is a match of its own.
void cut_at_characters(Pieces& pieces, Behavior behavior, bool (*is)(char32_t));

// Rewrites every piece: rewrite(piece, is the first one, text to append to).
template <typename Rewrite>
void rewrite_each(Pieces& pieces, Rewrite&& rewrite) {
  std::string text;
  text.reserve(pieces.text.size() + pieces.text.size() / 4);
  for (std::size_t i = 0; i < pieces.ranges.size(); ++i) {
    const auto begin = static_cast<std::uint32_t>(text.size());
    rewrite(pieces[i], i == 0, text);
    pieces.ranges[i] = {begin, static_cast<std::uint32_t>(text.size())};
  }
  pieces.text = std::move(text);
}

}  // namespace nibble::tokenizer
