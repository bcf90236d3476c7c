// nibble completion: a script that completes words of the command line in a shell.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/shell_completion.h"

namespace nibble::cli {
namespace {

Run setup(CLI::App& app, const Global& global) {
  const auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")->required();
  return [shell, &global] {
    const std::string script = completion_script(*shell, command_rows());
    if (global.json)
      print_json("nibble.completion/1", {{"shell", *shell}, {"script", script}});
    else
      fmt::print("{}", script);
    return 0;
  };
}

}  // namespace

extern const Command completion_command{
    .name = "completion",
    .summary = "Print what makes a shell complete commands and options",
    .examples =
        "  source <(nibble completion bash)\n"
        "  nibble completion fish > ~/.config/fish/completions/nibble.fish\n",
    .setup = setup,
};

}  // namespace nibble::cli
