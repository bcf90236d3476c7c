// Keys from a terminal, one character at a time.
#pragma once

#include <optional>
#include <string>

namespace nibble::cli {

class KeyInput {
 public:
  // The next character, nothing at the end of input; bytes that are no UTF-8 become U+FFFD.
  // `woken` is asked after each signal and each 200 ms without a key. Throws kInterrupted when a
  // signal asks to stop, kResource when stdin cannot be read.
  template <typename Woken>
  std::optional<char32_t> next(const Woken& woken) {
    while (!complete())
      if (wait() ? !read_more() : (woken(), false)) break;
    return take();
  }

  // A pasted text whose beginning (ESC [ 200 ~) has been read: what comes before ESC [ 201 ~.
  // Throws also kInvalidArgument for a text above 1 MiB.
  std::string paste();

 private:
  bool complete() const;  // a whole character lies ahead
  bool wait() const;      // false: no key yet
  bool read_more();       // false at the end of input
  std::optional<char32_t> take();

  std::string ahead_;  // bytes that were read and not taken
};

// A pasted text as a message may hold it: its lines end in \n, control characters are left out.
std::string plain_paste(std::string_view bytes);

}  // namespace nibble::cli
