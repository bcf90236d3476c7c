// Text that a command reads: a file, or "-" for stdin.
#pragma once

#include <string>

namespace nibble::cli {

// The whole text; at most 1 GiB. Throws kNotFound, kUnsupported, kInvalidArgument (too long).
std::string read_text(const std::string& file);

}  // namespace nibble::cli
