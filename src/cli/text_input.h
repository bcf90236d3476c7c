// Text that a command reads: a file, or "-" for stdin.
#pragma once

#include <string>

#include "base/progress.h"

namespace nibble::cli {

// The whole text; at most 1 GiB. Throws kNotFound, kUnsupported, kInvalidArgument (too long).
std::string read_text(const std::string& file);

// What comes through a pipe or from a file on stdin, to be joined to `prompt` behind an empty line;
// `prompt` alone from a terminal, a device or an empty text. `log` hears it when nothing comes.
std::string with_piped_text(std::string prompt, const LogSink& log);

}  // namespace nibble::cli
