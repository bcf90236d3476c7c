// Scripts that let a shell complete nibble's commands, options and files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/option_table.h"

namespace nibble::cli {

struct CommandRows {
  std::string name, summary;
  std::vector<OptionRow> options;
};
std::vector<CommandRows> command_rows();

// For "bash", "zsh" or "fish". Throws kInvalidArgument for another shell.
std::string completion_script(std::string_view shell, const std::vector<CommandRows>& commands);

}  // namespace nibble::cli
