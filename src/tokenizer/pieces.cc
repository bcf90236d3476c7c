// Cutting, for the five behaviours that a Split may have.
#include "tokenizer/pieces.h"

#include "tokenizer/component.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {

Behavior read_behavior(const Json& settings, std::string_view otherwise) {
  const std::string name = json_string(settings, "behavior", otherwise);
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Contiguous") return Behavior::kContiguous;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  throw Error(ErrorKind::kCorruptFile,
              cat("\"behavior\" is \"", name.substr(0, 40),
                  "\"; expected Isolated, Removed, Contiguous, MergedWithPrevious or "
                  "MergedWithNext"));
}

Cutter::Cutter(Pieces& pieces, Behavior behavior, bool invert)
    : pieces_(pieces), behavior_(behavior), invert_(invert) {
  cut_.reserve(pieces.ranges.size());
}

void Cutter::begin(std::size_t piece) {
  piece_ = pieces_.ranges[piece];
  seen_ = piece_.begin;
  first_of_piece_ = cut_.size();
  previous_was_match_ = waiting_ = false;
}

void Cutter::match(std::size_t from, std::size_t to) {
  const Range range{piece_.begin + static_cast<std::uint32_t>(from),
                    piece_.begin + static_cast<std::uint32_t>(to)};
  if (range.begin > seen_) part({seen_, range.begin}, invert_);
  part(range, !invert_);
  seen_ = range.end;
}

void Cutter::end() {
  if (seen_ < piece_.end) part({seen_, piece_.end}, invert_);
  if (waiting_) put(waiting_match_);
  waiting_ = false;
}

void Cutter::finish() {
  if (cut_.empty()) pieces_.at_start = false;
  pieces_.ranges = std::move(cut_);
}

void Cutter::part(Range range, bool is_match) {
  const bool after_match = previous_was_match_;
  const bool joins = cut_.size() > first_of_piece_;
  previous_was_match_ = is_match;
  switch (behavior_) {
    case Behavior::kIsolated:
      return put(range);
    case Behavior::kRemoved:
      return is_match ? void() : put(range);
    case Behavior::kContiguous:
      if (joins && is_match == after_match) return void(cut_.back().end = range.end);
      return put(range);
    case Behavior::kMergedWithPrevious:
      if (joins && is_match && !after_match) return void(cut_.back().end = range.end);
      return put(range);
    case Behavior::kMergedWithNext:
      if (waiting_ && is_match) put(waiting_match_);
      if (waiting_ && !is_match) range.begin = waiting_match_.begin;
      waiting_ = is_match;
      waiting_match_ = range;
      if (!is_match) put(range);
  }
}

void Cutter::put(Range range) {
  if (range.begin == range.end) return;
  if (first_cut_ && range.begin != pieces_.ranges.front().begin) pieces_.at_start = false;
  first_cut_ = false;
  cut_.push_back(range);
}

void cut_at_characters(Pieces& pieces, Behavior behavior, bool (*is)(char32_t)) {
  cut_each(pieces, behavior, false, [&](std::string_view piece, Cutter& cutter) {
    for (std::size_t i = 0; i < piece.size();) {
      const std::size_t begin = i;
      if (is(next_character(piece, i))) cutter.match(begin, i);
    }
  });
}

}  // namespace nibble::tokenizer
