#include "cli/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/text.h"
#include "cli/help.h"
#include "cli/number_check.h"
#include "cli/option_table.h"
#include "cli/report.h"
#include "cli/synonyms.h"
#include "cli/terminal/columns.h"
#include "kernels/kernels.h"

namespace nibble::cli {
namespace {

constexpr int kMaxThreads = 1024;

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command* command : commands()) names.emplace_back(command->name);
  return names;
}

// --group_size means --group-size; values and what follows a bare "--" stay as they are.
void accept_underscores(std::vector<std::string>& arguments) {
  for (std::string& argument : arguments) {
    if (argument == "--") return;
    if (!argument.starts_with("--")) continue;
    std::replace(argument.begin(),
                 argument.begin() +
                     static_cast<std::ptrdiff_t>(std::min(argument.find('='), argument.size())),
                 '_', '-');
  }
}

// Shared options may stand before the command: its name is the first word that is none of theirs.
std::size_t command_position(const std::vector<std::string>& arguments) {
  static constexpr std::array<std::string_view, 5> kWithValue = {"--threads", "-t", "--seed", "-s",
                                                                 "--isa"};
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with('-')) return i;
    if (std::find(kWithValue.begin(), kWithValue.end(), arguments[i]) != kWithValue.end()) ++i;
  }
  return arguments.size();
}

std::string instruction_sets() {
  std::string names = "auto";
  for (const char* const* name = known_kernels(); *name != nullptr; ++name)
    names += cat(", ", *name);
  return names;
}

void declare_shared(CLI::App& app, Global& global) {
  const std::string group = kSharedGroup;
  app.add_flag("--json", global.json, "One JSON object on stdout")->group(group);
  app.add_option("-t,--threads", global.threads, "Threads; 0: as many as the machine allows")
      ->check(whole_number(0, kMaxThreads))
      ->group(group);
  app.add_option("-s,--seed", global.seed,
                 "Seed of every random choice; default: 0, in chat and generate drawn anew")
      ->group(group);
  app.add_option("--isa", global.isa, "Instruction set: " + instruction_sets())->group(group);
  app.add_flag("-q,--quiet", global.quiet, "No progress, no notes")->group(group);
  app.add_flag("-v,--verbose", global.verbose, "More notes")->group(group);
  app.add_flag("--no-color", global.no_color, "No colour")->group(group);
}

// One letter is as near to any other: only whole words are guessed.
std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// "-p TEXT or --file FILE": how a text is given to this command.
std::string ways_to_give_text(const CLI::App& app) {
  std::vector<std::string> ways;
  for (const OptionRow& row : option_rows(app))
    for (const std::string_view name : {"--prompt", "--text", "--file"})
      if (std::find(row.names.begin(), row.names.end(), name) != row.names.end())
        ways.push_back(cat(row.names[0], " ", row.value));
  return join(ways, " or ");
}

[[noreturn]] void refuse_word(const std::string& word, const CLI::App& app) {
  const std::string help = cat("all options:  ", app.get_name(), " --help");
  const std::string ways = ways_to_give_text(app);
  const bool spaces = word.find_first_of(" \t\n") != word.npos;
  std::string fix = help;
  if (!ways.empty())
    fix = cat("a text is given with ", ways, spaces ? "" : ", in quotes where it holds spaces",
              "; ", help);
  throw Error(ErrorKind::kInvalidArgument, cat("unexpected argument \"", word, "\""), fix);
}

// What CLI11 says of a value that is no number: "Could not convert: --bits = 4bit".
[[noreturn]] void refuse_value(const CLI::ConversionError& problem, const CLI::App& app) {
  const std::string text = problem.what();
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    const std::size_t at = text.find(cat(" ", name, " = "));
    if (at == text.npos) continue;
    const OptionRow row = option_row(*option);
    throw Error(ErrorKind::kInvalidArgument,
                cat(name, " takes ", row.value == "N" ? "a whole number" : "a number", ", not \"",
                    text.substr(at + name.size() + 4), "\""),
                cat(usage_of(row), ": ", option->get_description()));
  }
  throw Error(ErrorKind::kInvalidArgument, text, cat("all options:  ", app.get_name(), " --help"));
}

[[noreturn]] void refuse(const CLI::ParseError& problem, const CLI::App& app) {
  const std::string help = cat(app.get_name(), " --help");
  // An unknown option may be why a required one is missing: it is named first.
  if (const auto extras = app.remaining(); !extras.empty()) {
    const std::string word = extras.front().substr(0, extras.front().find('='));
    if (word.starts_with("--")) throw unknown_word("option", word, long_names(app), help);
    if (word.starts_with('-')) throw unknown_word("option", word, {}, help);
    refuse_word(extras.front(), app);
  }
  if (const auto* value = dynamic_cast<const CLI::ConversionError*>(&problem))
    refuse_value(*value, app);
  std::string text = problem.what();
  // A check's own sentence: "--windows: takes a whole number …".
  if (const auto at = text.find(": takes "); at != text.npos) text.erase(at, 1);
  throw Error(ErrorKind::kInvalidArgument, text, cat("all options:  ", help));
}

[[noreturn]] void refuse_missing_command(const std::string& file) {
  throw Error(ErrorKind::kInvalidArgument, cat("no command before \"", file, "\""),
              cat("nibble chat ", file, ", or another command: nibble --help"));
}

const Command& command_named(const std::string& word) {
  const std::string name = our_command(word);
  for (const Command* command : commands())
    if (command->name == name) return *command;
  std::error_code ignored;
  if (std::filesystem::exists(name, ignored)) refuse_missing_command(name);
  throw unknown_word("command", name, command_names(), "nibble --help");
}

}  // namespace

void Global::log_all(std::span<const std::string> lines) const {
  if (!log) return;
  for (const std::string& line : lines) log(line);
}

std::filesystem::path Global::model(const std::string& name) const {
  return locate_model(name, places);
}

std::unique_ptr<CLI::App> app_of(const Command& command, Global& global, Run& run) {
  auto app = std::make_unique<CLI::App>(std::string(command.summary), cat("nibble ", command.name));
  run = command.setup(*app, global);
  declare_shared(*app, global);
  app->set_help_flag("-h,--help", "This text")->group(kSharedGroup);
  return app;
}

Parsed parse(std::vector<std::string> arguments, Global& global) {
  // Known even when parsing fails: the error is then an object too.
  global.json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  accept_underscores(arguments);
  const std::size_t place = command_position(arguments);
  Parsed parsed;
  if (place == arguments.size()) {
    for (const std::string& argument : arguments) {
      if (argument == "--version") {
        parsed.text = "nibble " NIBBLE_VERSION "\n";
        return parsed;
      }
      if (argument == "-h" || argument == "--help") {
        parsed.text = overview_text(terminal_columns(STDOUT_FILENO));
        return parsed;
      }
    }
    if (arguments.empty()) throw Error(ErrorKind::kInvalidArgument, "no command", "nibble --help");
    throw unknown_word("option", arguments[0], {"--version", "--help"}, "nibble --help");
  }
  const std::string word = arguments[place];
  if (place > 0 && (arguments[place - 1] == "-m" || arguments[place - 1] == "--model"))
    refuse_missing_command(word);
  arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(place));
  if (word == "help") {
    if (arguments.empty()) {
      parsed.text = overview_text(terminal_columns(STDOUT_FILENO));
      return parsed;
    }
    return parse({arguments[0], "--help"}, global);
  }
  if (word == "version") {
    parsed.text = "nibble " NIBBLE_VERSION "\n";
    return parsed;
  }
  const Command& command = command_named(word);
  parsed.app = app_of(command, global, parsed.run);
  arguments = with_our_options(arguments, *parsed.app, command.name);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    parsed.app->parse(arguments);
  } catch (const CLI::CallForHelp&) {
    parsed.run = nullptr;
    parsed.text = help_text(command, *parsed.app, terminal_columns(STDOUT_FILENO));
  } catch (const CLI::ParseError& problem) {
    refuse(problem, *parsed.app);
  }
  if (command.draws_seed && parsed.app->get_option("--seed")->count() == 0)
    global.seed = std::random_device()();
  return parsed;
}

}  // namespace nibble::cli
