// Help for people: of the program, and of one command.
#pragma once

#include <cstddef>
#include <string>

#include "cli/command.h"

namespace nibble::cli {

// No line is wider than `width`, command lines of examples aside.
std::string overview_text(std::size_t width);
std::string help_text(const Command& command, const CLI::App& app, std::size_t width);

}  // namespace nibble::cli
