// A line typed at a terminal, with the keys that people expect: arrows, history, search.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/terminal/typed_line.h"

namespace nibble::cli {

// One at a time: it owns the terminal. A text pasted in one go is one insertion, line ends and all,
// where the terminal marks it (bracketed paste).
class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Throws kInterrupted for a signal that ends the program; Ctrl-C is an end of the line.
  TypedLine ask(std::string_view prompt);

  // Gives `text` to the up arrow and Ctrl-R.
  void remember(const std::string& text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nibble::cli
