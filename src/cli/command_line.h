// From argv to the work to do.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"

namespace nibble::cli {

// A command line whose options are filled in.
struct Parsed {
  std::unique_ptr<CLI::App> app;  // holds what `run` reads
  Run run;                        // empty: `text` is all there is to say
  std::string text;               // help or version, for stdout
};

// The parser of a command's options and of those that all share; `run` reads them from `global` and
// from what the parser holds.
std::unique_ptr<CLI::App> app_of(const Command& command, Global& global, Run& run);

// `arguments` without the program's name. Fills `global`. Throws kInvalidArgument with the nearest
// known word for an unknown command or option.
Parsed parse(std::vector<std::string> arguments, Global& global);

}  // namespace nibble::cli
