// nibble man: the manual page, made of the commands and their options.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/shell_completion.h"

namespace nibble::cli {
namespace {

// Text for roff: no backslash, no hyphen and no first character that it would read as its own.
std::string roff(std::string_view text) {
  std::string result;
  for (const char c : text) result += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  return result.starts_with('.') || result.starts_with('\'') ? "\\&" + result : result;
}

std::string options_text(const std::vector<OptionRow>& rows, bool shared) {
  std::string text;
  for (const OptionRow& row : rows) {
    if ((row.group == kSharedGroup) != shared) continue;
    const std::string standard = row.standard.empty() ? "" : cat("; default: ", row.standard);
    text += cat(".TP\n.B ", roff(usage_of(row)), "\n", roff(row.help + standard), "\n");
  }
  return text;
}

std::string page() {
  const std::vector<CommandRows> rows = command_rows();
  std::string text = cat(".TH NIBBLE 1 \"\" \"nibble ", NIBBLE_VERSION, "\" \"User Commands\"\n");
  text +=
      ".SH NAME\nnibble \\- quantize, measure and run language models on a CPU\n"
      ".SH SYNOPSIS\n.B nibble\n.I COMMAND\n[arguments]\n.SH COMMANDS\n";
  for (const CommandRows& command : rows) {
    std::string usage = "nibble " + command.name;
    for (const OptionRow& row : command.options)
      if (row.positional) usage += " " + row.names[0];
    text += cat(".SS ", roff(usage), "\n", roff(command.summary), ".\n",
                options_text(command.options, false));
  }
  return text + ".SH OPTIONS OF EVERY COMMAND\n" + options_text(rows.front().options, true);
}

Run setup(CLI::App&, const Global& global) {
  return [&global] {
    if (global.json)
      print_json("nibble.man/1", {{"page", page()}});
    else
      fmt::print("{}", page());
    return 0;
  };
}

}  // namespace

extern const Command man_command{
    .name = "man",
    .summary = "Print the manual page",
    .examples = "  man <(nibble man)\n",
    .setup = setup,
};

}  // namespace nibble::cli
