#include "cli/shell_completion.h"

#include <algorithm>

#include "base/text.h"
#include "cli/command_line.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

// One shell word between single quotes.
std::string shell_word(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string names_of(const std::vector<CommandRows>& commands) {
  std::vector<std::string> names;
  for (const CommandRows& command : commands) names.push_back(command.name);
  return join(names, " ");
}

std::string options_of(const CommandRows& command) {
  std::vector<std::string> names;
  for (const OptionRow& row : command.options)
    if (!row.positional) names.insert(names.end(), row.names.begin(), row.names.end());
  return join(names, " ");
}

std::string bash_script(const std::vector<CommandRows>& commands) {
  std::string cases;
  for (const CommandRows& command : commands)
    cases += cat("    ", command.name, ") words=", shell_word(options_of(command)), " ;;\n");
  return cat(
      "# source <(nibble completion bash)\n"
      "_nibble() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W ",
      shell_word(names_of(commands) + " --help --version"),
      " -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  [[ \"$word\" == -* ]] || return\n"
      "  case \"${COMP_WORDS[1]}\" in\n",
      cases,
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}\n"
      "complete -o default -F _nibble nibble\n");
}

// In the argument list of _arguments, brackets and colons have a meaning of their own.
std::string zsh_help(const std::string& help) {
  std::string text;
  for (const char c : help)
    text += std::string_view("[]:\\").find(c) != std::string_view::npos ? cat("\\", c)
                                                                        : std::string(1, c);
  return text;
}

std::string zsh_script(const std::vector<CommandRows>& commands) {
  std::string list, cases;
  for (const CommandRows& command : commands) {
    list += cat("    ", shell_word(cat(command.name, ":", zsh_help(command.summary))), "\n");
    cases += cat("    ", command.name, ") _arguments");
    for (const OptionRow& row : command.options) {
      if (row.positional) continue;
      const std::string value =
          row.value.empty() ? ""
                            : cat(":", zsh_help(row.value), row.value == "FILE" ? ":_files" : ": ");
      for (const std::string& name : row.names)
        cases +=
            cat(" \\\n      ", shell_word(cat("*", name, "[", zsh_help(row.help), "]", value)));
    }
    cases += " \\\n      '*:file:_files' ;;\n";
  }
  return cat(
      "#compdef nibble\n"
      "# nibble completion zsh > a folder of $fpath, under the name _nibble\n"
      "_nibble() {\n"
      "  local -a commands=(\n",
      list,
      "  )\n"
      "  if ((CURRENT == 2)); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  ((CURRENT--))\n"
      "  case $command in\n",
      cases,
      "  esac\n"
      "}\n"
      "if [[ $funcstack[1] == _nibble ]]; then _nibble; else compdef _nibble nibble; fi\n");
}

std::string fish_script(const std::vector<CommandRows>& commands) {
  std::string text =
      "# nibble completion fish > ~/.config/fish/completions/nibble.fish\n"
      "complete -c nibble -n __fish_use_subcommand -l version\n";
  for (const CommandRows& command : commands) {
    text += cat("complete -c nibble -n __fish_use_subcommand -f -a ", command.name, " -d ",
                shell_word(command.summary), "\n");
    for (const OptionRow& row : command.options) {
      if (row.positional) continue;
      text += cat("complete -c nibble -n '__fish_seen_subcommand_from ", command.name, "'");
      for (const std::string& name : row.names)
        text += name.starts_with("--") ? cat(" -l ", name.substr(2)) : cat(" -s ", name.substr(1));
      text += cat(row.value.empty() ? "" : " -r", " -d ", shell_word(row.help), "\n");
    }
  }
  return text;
}

struct Shell {
  std::string_view name;
  std::string (*script)(const std::vector<CommandRows>& commands);
};
constexpr Shell kShells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

}  // namespace

std::vector<CommandRows> command_rows() {
  Global unused;
  std::vector<CommandRows> rows;
  for (const Command* command : commands()) {
    Run run;
    const auto app = app_of(*command, unused, run);
    rows.push_back({std::string(command->name), std::string(command->summary), option_rows(*app)});
  }
  return rows;
}

std::string completion_script(std::string_view shell, const std::vector<CommandRows>& commands) {
  for (const Shell& known : kShells)
    if (known.name == shell) return known.script(commands);
  throw Error(ErrorKind::kInvalidArgument, cat("no completion for the shell \"", shell, "\""),
              "one of: bash, zsh, fish");
}

}  // namespace nibble::cli
