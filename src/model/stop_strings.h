// Ends a text, which comes piece by piece, before the first stop string in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Looks at the text byte by byte, so how it is cut into pieces changes nothing. The stop string
// that is complete first ends the text; of several that end at the same place, the longest.
class StopStrings {
 public:
  // Throws kInvalidArgument for a stop string that is empty, too long or no UTF-8, and for too
  // many.
  explicit StopStrings(const std::vector<std::string>& stops);

  // The text that is certain: no stop string has begun in it. Whole characters when the pieces
  // are. Nothing once a stop string has been found.
  std::string add(std::string_view piece);
  bool found() const { return found_; }
  // What was held back, when no stop string followed.
  std::string finish();

 private:
  struct Stop {
    std::string text;
    std::vector<std::size_t> fallback;  // [i]: the longest proper prefix that ends text[0..i]
    std::size_t matched = 0;            // how much of `text` the text so far ends with
  };

  std::vector<Stop> stops_;
  std::string held_;  // the beginning of a stop string, perhaps
  bool found_ = false;
};

}  // namespace nibble
