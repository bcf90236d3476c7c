// The terminal's settings while a person talks with the program.
#pragma once

#include <termios.h>

namespace nibble::cli {

// Lets keys wait unseen until someone reads them, so that what is typed during an answer does not
// stand in it; Ctrl-C stays a signal. The destructor gives the terminal back as it was found.
class QuietTerminal {
 public:
  QuietTerminal();  // does nothing where stdin is no terminal
  ~QuietTerminal();
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

  void hush() const;  // after someone else (a line editor, a stopped job) has set its own modes

 private:
  bool active_ = false;
};

// What ~QuietTerminal() does, for signal handlers that end the program at once.
void restore_terminal() noexcept;

}  // namespace nibble::cli
