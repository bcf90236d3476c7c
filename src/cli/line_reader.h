// Lines from stdin, one at a time, as they are typed.
#pragma once

#include <optional>
#include <string>

namespace nibble::cli {

class LineReader {
 public:
  // Without its end; nothing at the end of input. Throws kInterrupted when a signal asks to stop
  // while it waits, kInvalidArgument for a line above 1 MiB.
  std::optional<std::string> next();

 private:
  bool read_more();  // false at the end of input

  std::string ahead_;  // read, not yet given
};

}  // namespace nibble::cli
