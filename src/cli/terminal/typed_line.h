// A line that a person typed, and how it ended.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace nibble::cli {

struct TypedLine {
  enum class End { kEnter, kInterrupt, kEndOfInput };
  End end = End::kEnter;
  std::string text;
};

// Asks for a line behind this prompt.
using AskLine = std::function<TypedLine(std::string_view prompt)>;

}  // namespace nibble::cli
