// Command lines with what they must print, as text (tests/cli/*.test); docs/testing.md has the
// grammar.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace nibble::test {

struct Expectation {
  std::size_t line = 0;
  bool wanted = true;   // false: `!stdout: text` must not match
  std::string subject;  // stdout, stderr, json, file
  bool regex = false;   // `stdout~`
  std::string text;
};

struct CommandCase {
  std::size_t line = 0;
  std::string command;
  int exit_code = 0;
  std::vector<Expectation> expectations;
};

// Throws std::runtime_error with the line of a sentence that it does not understand.
std::vector<CommandCase> parse_script(const std::string& text);

struct ScriptPlaces {
  std::filesystem::path program_folder;  // in front of PATH
  std::filesystem::path model;           // $MODEL
  std::filesystem::path folder;          // $TMP, where commands run
};

// Runs the commands one after another; each broken expectation gives one text.
std::vector<std::string> run_script(const std::vector<CommandCase>& cases,
                                    const ScriptPlaces& places);

}  // namespace nibble::test
