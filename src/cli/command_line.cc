#include "cli/command_line.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/report.h"
#include "kernels/kernels.h"

namespace nibble::cli {
namespace {

constexpr int kMaxThreads = 1024;

std::string overview() {
  std::string text =
      "nibble quantizes language models, measures what was lost and runs them, on a CPU.\n\n"
      "  nibble quantize MODEL OUT --method gptq --bits 4 --calib notes.txt\n"
      "  nibble compare MODEL OUT --file test.txt\n"
      "  nibble generate OUT -p \"Once upon a time\" -n 64\n\n"
      "MODEL is a folder, a .safetensors or .gguf file, or org/name in the local Hugging Face "
      "cache.\n\n"
      "Commands\n";
  for (const Command* command : commands())
    text += fmt::format("  {:<12}{}\n", command->name, command->summary);
  return text +
         "\n  nibble COMMAND --help      the options of one command\n"
         "  nibble --version           the version of this program\n";
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command* command : commands()) names.emplace_back(command->name);
  return names;
}

const Command& command_named(const std::string& name) {
  for (const Command* command : commands())
    if (command->name == name) return *command;
  throw unknown_word("command", name, command_names(), "nibble --help");
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
  const std::string group = "Every command";
  app.add_flag("--json", global.json, "One JSON object on stdout")->group(group);
  app.add_option("-t,--threads", global.threads, "Threads; 0: as many as the machine allows")
      ->check(CLI::Range(0, kMaxThreads))
      ->group(group);
  app.add_option("-s,--seed", global.seed, "Seed of every random choice")->group(group);
  app.add_option("--isa", global.isa, "Instruction set: " + instruction_sets())->group(group);
  app.add_flag("-q,--quiet", global.quiet, "No progress, no notes")->group(group);
  app.add_flag("-v,--verbose", global.verbose, "More notes")->group(group);
  app.add_flag("--no-color", global.no_color, "No colour")->group(group);
}

// Examples first, then what CLI11 prints.
class ExamplesFirst : public CLI::Formatter {
 public:
  explicit ExamplesFirst(const Command& command) : command_(command) {}
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
    std::string options = make_positionals(app) + make_groups(app, mode);
    while (options.find("\n\n\n") != options.npos)
      options.replace(options.find("\n\n\n"), 3, "\n\n");
    return fmt::format("{}\n\n{}\n{}{}", command_.summary, command_.examples,
                       make_usage(app, app->get_name()), options);
  }

 private:
  const Command& command_;
};

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

[[noreturn]] void refuse(const CLI::ParseError& problem, const CLI::App& app) {
  const std::string help = cat(app.get_name(), " --help");
  // An unknown option may be why a required one is missing: it is named first.
  for (const std::string& extra : app.remaining()) {
    const std::string word = extra.substr(0, extra.find('='));
    if (word.starts_with('-')) throw unknown_word("option", word, option_names(app), help);
    throw Error(ErrorKind::kInvalidArgument, cat("unexpected argument \"", extra, "\""),
                cat("quote a text that holds spaces; all options:  ", help));
  }
  throw Error(ErrorKind::kInvalidArgument, problem.what(), cat("all options:  ", help));
}

}  // namespace

void Global::log_all(std::span<const std::string> lines) const {
  if (!log) return;
  for (const std::string& line : lines) log(line);
}

std::filesystem::path Global::model(const std::string& name) const {
  return locate_model(name, places);
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
        parsed.text = overview();
        return parsed;
      }
    }
    if (arguments.empty()) throw Error(ErrorKind::kInvalidArgument, "no command", "nibble --help");
    throw unknown_word("option", arguments[0], {"--version", "--help"}, "nibble --help");
  }
  const std::string word = arguments[place];
  arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(place));
  if (word == "help") {
    if (arguments.empty()) {
      parsed.text = overview();
      return parsed;
    }
    return parse({arguments[0], "--help"}, global);
  }
  const Command& command = command_named(word);
  parsed.app =
      std::make_unique<CLI::App>(std::string(command.summary), cat("nibble ", command.name));
  parsed.app->formatter(std::make_shared<ExamplesFirst>(command));
  parsed.run = command.setup(*parsed.app, global);
  declare_shared(*parsed.app, global);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    parsed.app->parse(arguments);
  } catch (const CLI::CallForHelp&) {
    parsed.run = nullptr;
    parsed.text = parsed.app->help();
  } catch (const CLI::ParseError& problem) {
    refuse(problem, *parsed.app);
  }
  return parsed;
}

}  // namespace nibble::cli
