// A program at a terminal of its own: what a person types, and what they see.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <map>
#include <string>
#include <vector>

namespace nibble::test {

class PseudoTerminal {
 public:
  // `environment` is added to this program's own.
  PseudoTerminal(const std::vector<std::string>& command,
                 const std::map<std::string, std::string>& environment);
  ~PseudoTerminal();
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  void type(const std::string& keys);

  // Reads until `text` has been seen since the last call; everything since then. Throws after a
  // minute without it.
  std::string wait_for(const std::string& text);

  // Reads to the end; 128 + signal for a program that a signal ended.
  int exit_code();

  // All that was shown.
  const std::string& shown() const { return shown_; }
  termios settings() const;

 private:
  // Reads what is there, waiting at most this long for something; false at the end.
  bool read_some(int milliseconds);

  pid_t program_ = -1;
  int terminal_ = -1;
  std::string shown_;
  std::size_t seen_ = 0;
};

}  // namespace nibble::test
