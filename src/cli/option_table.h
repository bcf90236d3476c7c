// The options of a command as rows: what help, shell completion and the manual page are made of.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace nibble::cli {

struct OptionRow {
  std::vector<std::string> names;  // "-n", "--max-tokens"; of a positional one word, "MODEL"
  std::string value;               // "N", "FILE"; empty for a flag
  std::string help;
  std::string standard;  // what holds without it; empty when help says it, or nothing holds
  std::string group;
  bool positional = false;
};

OptionRow option_row(const CLI::Option& option);

// In the order of declaration, the positional ones first.
std::vector<OptionRow> option_rows(const CLI::App& app);

// "-n, --max-tokens N"
std::string usage_of(const OptionRow& row);

// The groups in the order they are shown: usual options, the command's own groups, shared ones.
std::vector<std::string> option_groups(const std::vector<OptionRow>& rows);

inline constexpr const char* kUsualGroup = "Usual";
inline constexpr const char* kArithmeticGroup = "Arithmetic";
inline constexpr const char* kSharedGroup = "Every command";

}  // namespace nibble::cli
