#include "support/text_script.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace nibble::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

[[noreturn]] void refuse(std::size_t line, const std::string& text) {
  throw std::runtime_error("line " + std::to_string(line) + ": " + text);
}

Expectation parse_expectation(std::size_t line, std::string text) {
  Expectation result;
  result.line = line;
  if (text[0] == '!') {
    result.wanted = false;
    text.erase(0, 1);
  }
  static const std::regex kSentence(R"((stdout|stderr|json|file)([:~])\s*(.+))");
  std::smatch match;
  if (!std::regex_match(text, match, kSentence)) refuse(line, "cannot understand '" + text + "'");
  result.subject = match[1];
  result.regex = match[2] == "~";
  result.text = match[3];
  if (result.regex && (result.subject == "json" || result.subject == "file"))
    refuse(line, "only stdout and stderr take '~'");
  return result;
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string with_places(std::string text, const ScriptPlaces& places) {
  for (const auto& [name, path] :
       {std::pair<std::string, fs::path>{"$MODEL", places.model}, {"$TMP", places.folder}})
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at))
      text.replace(at, name.size(), path.string());
  return text;
}

std::string quoted(const fs::path& path) { return "'" + path.string() + "'"; }

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

Outcome run(const std::string& command, const ScriptPlaces& places) {
  const fs::path script = places.folder / ".command.sh";
  std::ofstream(script) << "PATH=" << quoted(places.program_folder) << ":$PATH\n"
                        << "MODEL=" << quoted(places.model) << "\nTMP=" << quoted(places.folder)
                        << "\nHF_HOME=" << quoted(places.folder / "no-cache") << "\n"
                        << "unset HF_HUB_CACHE XDG_CACHE_HOME\nNO_COLOR=1\n"
                        << "export PATH MODEL TMP HF_HOME NO_COLOR\n"
                        << "cd " << quoted(places.folder) << "\n"
                        << command << "\n";
  const fs::path out = places.folder / ".stdout", err = places.folder / ".stderr";
  const int status = std::system(
      ("sh " + quoted(script) + " >" + quoted(out) + " 2>" + quoted(err) + " </dev/null").c_str());
  // A program killed by a signal counts as 128 + signal, as in a shell.
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, content_of(out), content_of(err)};
}

// `path`, `path = literal`, `path < number`, `path > number`; path a.b.0.c or "." for the whole.
bool holds_in_json(const std::string& sentence, const std::string& text) {
  static const std::regex kCompare(R"((\S+)(?:\s*([=<>])\s*(.+))?)");
  std::smatch match;
  if (!std::regex_match(sentence, match, kCompare))
    throw std::runtime_error("cannot understand 'json: " + sentence + "'");
  const json whole = json::parse(text);
  std::string pointer = match[1] == "." ? "" : "/" + match[1].str();
  for (char& letter : pointer)
    if (letter == '.') letter = '/';
  const json::json_pointer place(pointer);
  if (!whole.contains(place)) return false;
  const json& found = whole.at(place);
  if (!match[2].matched) return true;
  const json other = json::parse(match[3].str());
  if (match[2] == "=") return found == other;
  if (!found.is_number()) return false;
  return match[2] == "<" ? found < other : found > other;
}

bool holds(const Expectation& expectation, const Outcome& outcome, const ScriptPlaces& places) {
  const std::string text = with_places(expectation.text, places);
  if (expectation.subject == "file") return fs::exists(places.folder / text);
  if (expectation.subject == "json") return holds_in_json(text, outcome.out);
  const std::string& printed = expectation.subject == "stdout" ? outcome.out : outcome.err;
  if (expectation.regex) return std::regex_search(printed, std::regex(text, std::regex::multiline));
  return printed.find(text) != std::string::npos;
}

}  // namespace

std::vector<CommandCase> parse_script(const std::string& text) {
  std::vector<CommandCase> cases;
  std::istringstream lines(text);
  std::string raw;
  for (std::size_t line = 1; std::getline(lines, raw); ++line) {
    const std::string sentence = trimmed(raw);
    if (sentence.empty() || sentence[0] == '#') continue;
    if (sentence.starts_with("$ ")) {
      cases.push_back({.line = line, .command = sentence.substr(2), .expectations = {}});
    } else if (cases.empty()) {
      refuse(line, "an expectation needs a command before it");
    } else if (sentence.starts_with("> ")) {  // the command goes on
      cases.back().command += "\n" + sentence.substr(2);
    } else if (sentence.starts_with("exit:")) {
      cases.back().exit_code = std::stoi(sentence.substr(5));
    } else {
      cases.back().expectations.push_back(parse_expectation(line, sentence));
    }
  }
  if (cases.empty()) throw std::runtime_error("there is no command in this file");
  return cases;
}

std::vector<std::string> run_script(const std::vector<CommandCase>& cases,
                                    const ScriptPlaces& places) {
  std::vector<std::string> failures;
  for (const CommandCase& test : cases) {
    const Outcome outcome = run(test.command, places);
    const auto fail = [&](std::size_t line, const std::string& what) {
      failures.push_back("line " + std::to_string(line) + ": " + what + "\n$ " + test.command +
                         "\nexit: " + std::to_string(outcome.exit_code) + "\n--- stdout\n" +
                         outcome.out + "--- stderr\n" + outcome.err);
    };
    if (outcome.exit_code != test.exit_code)
      fail(test.line, "expected exit code " + std::to_string(test.exit_code));
    for (const Expectation& expectation : test.expectations) {
      const std::string sentence = (expectation.wanted ? "" : "!") + expectation.subject +
                                   (expectation.regex ? "~ " : ": ") + expectation.text;
      try {
        if (holds(expectation, outcome, places) != expectation.wanted)
          fail(expectation.line, "does not hold: " + sentence);
      } catch (const std::exception& error) {
        fail(expectation.line, sentence + ": " + error.what());
      }
    }
  }
  return failures;
}

}  // namespace nibble::test
