// Messages of a dialogue: mostly a line, several between """ and """ or behind a backslash.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "cli/terminal/typed_line.h"

namespace nibble::cli {

class MessageReader {
 public:
  explicit MessageReader(AskLine ask) : ask_(std::move(ask)) {}

  // Nothing at the end of input, and after Ctrl-C where nothing has been typed; Ctrl-C behind some
  // text only drops that.
  std::optional<std::string> next();

 private:
  // What the lines up to the closing quotes hold; nothing after Ctrl-C.
  std::optional<std::string> quoted(std::string text);
  // The same for lines that end in a backslash.
  std::optional<std::string> continued(std::string text);

  AskLine ask_;
};

}  // namespace nibble::cli
