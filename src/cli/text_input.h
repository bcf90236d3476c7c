// What comes on stdin beside a prompt.
#pragma once

#include <string>

#include "base/progress.h"

namespace nibble::cli {

// What comes through a pipe or from a file on stdin, to be joined to `prompt` behind an empty line;
// `prompt` alone from a terminal, a device or an empty text. `log` hears it when nothing comes.
std::string with_piped_text(std::string prompt, const LogSink& log);

}  // namespace nibble::cli
