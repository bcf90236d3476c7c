#include "cli/help.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <sstream>

#include "cli/command_line.h"
#include "cli/shell_completion.h"
#include "cli/terminal/columns.h"

namespace nibble::cli {
namespace {

std::string help_of(const Command& command, std::size_t width) {
  Global global;
  Run run;
  const auto app = app_of(command, global, run);
  return help_text(command, *app, width);
}

bool is_example(const std::string& line) {
  return line.starts_with("  nibble ") || line.find("<(nibble") != std::string::npos;
}

TEST(Help, OfEveryCommandFitsTheTerminal) {
  for (const std::size_t width : {40u, 60u, 80u, 200u})
    for (const Command* command : commands()) {
      std::istringstream lines(help_of(*command, width));
      for (std::string line; std::getline(lines, line);) {
        if (is_example(line)) continue;
        EXPECT_LE(columns_of(line), width) << command->name << ": " << line;
      }
    }
}

TEST(Help, OfEveryCommandTellsNoTypesOfTheParser) {
  const std::regex noise("UINT|INT:| in \\[|FLOAT|REQUIRED|:POSITIVE|\\[\\[");
  for (const Command* command : commands())
    EXPECT_FALSE(std::regex_search(help_of(*command, 80), noise)) << help_of(*command, 80);
}

TEST(Help, OfEveryCommandEndsWithWhatAllShare) {
  for (const Command* command : commands()) {
    const std::string help = help_of(*command, 80);
    EXPECT_NE(help.find("\nEvery command\n"), std::string::npos) << command->name;
    EXPECT_EQ(help.find(command->summary.substr(0, 20)), 0u) << command->name;
  }
}

TEST(Help, OverviewNamesEveryCommandAtEveryWidth) {
  for (const std::size_t width : {30u, 80u})
    for (const Command* command : commands())
      EXPECT_NE(overview_text(width).find(command->name), std::string::npos);
}

TEST(Completion, OfEveryShellNamesEveryCommandAndLongOption) {
  const auto commands = command_rows();
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell, commands);
    for (const CommandRows& command : commands) {
      EXPECT_NE(script.find(command.name), std::string::npos) << shell << " " << command.name;
      for (const OptionRow& row : command.options)
        for (const std::string& name : row.names) {
          if (row.positional) continue;
          const std::string word = name.substr(std::min(name.find_first_not_of('-'), name.size()));
          EXPECT_NE(script.find(word), std::string::npos) << shell << " " << name;
        }
    }
  }
}

}  // namespace
}  // namespace nibble::cli
