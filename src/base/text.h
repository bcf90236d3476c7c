// Text helpers: joining values into messages, sizes for people, what an unknown word may mean.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/error.h"

namespace nibble {

// cat("tensor ", 3, " of ", 4): each argument as fmt prints it.
template <typename... Values>
std::string cat(const Values&... values) {
  std::string text;
  (fmt::format_to(std::back_inserter(text), "{}", values), ...);
  return text;
}

// "[3, 4]"
template <typename Range>
std::string list_text(const Range& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

std::string join(std::span<const std::string> parts, std::string_view separator);

// 1536 -> "1.5 KiB".
std::string human_bytes(std::uint64_t bytes);

// 75.2 -> "01:15"; 3700 -> "1:01:40".
std::string human_seconds(double seconds);

// The known name closest to `name` by edit distance, empty when none is near. A single letter is
// near nothing.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

// The end of a message about a word that is not known: "; did you mean NAME?", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

// `unknown WHAT "WORD"; did you mean NAME?` with the fix "one of: …", after which `more` stands:
// where to read about them. Throw it.
Error unknown_word(std::string_view what, std::string_view word, std::span<const std::string> known,
                   std::string_view more = {});

// True when `bytes` is well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_valid_utf8(std::string_view bytes);

}  // namespace nibble
