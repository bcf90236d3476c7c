#include "cli/option_table.h"

#include <algorithm>

#include "base/text.h"

namespace nibble::cli {
namespace {

struct Word {
  std::string_view name, word;
};

// What stands for a value of this type, in place of the parser's word.
constexpr Word kTypes[] = {{"UINT", "N"},   {"INT", "N"},     {"FLOAT", "X"},
                           {"NUMBER", "X"}, {"WORD", "NAME"}, {"BOOLEAN", ""}};

// Texts that are more than a text.
constexpr Word kValues[] = {{"--file", "FILE"},
                            {"--calib", "FILE"},
                            {"--messages", "FILE"},
                            {"--memory", "SIZE"},
                            {"--max-shard-size", "SIZE"},
                            {"--override", "RULE"},
                            {"--tensor-type", "RULE"},
                            {"--token-embedding-type", "TYPE"},
                            {"--output-tensor-type", "TYPE"},
                            {"--skip", "REGEX"},
                            {"--base", "MODEL"},
                            {"--ids", "1,2,3"},
                            {"--group-size", "N"},
                            {"--method", "NAME"},
                            {"--scales", "NAME"},
                            {"--act-order", "NAME"},
                            {"--grid", "NAME"},
                            {"--checkpoint-format", "NAME"},
                            {"--compute", "NAME"},
                            {"--compute-other", "NAME"},
                            {"--kv", "NAME"},
                            {"--isa", "NAME"},
                            {"--protocol", "NAME"},
                            {"--output", "NAME"},
                            {"--tokenizer", "NAME"},
                            {"--transform", "NAME"},
                            {"--layout", "NAME"}};

std::string value_word(const CLI::Option& option, const std::vector<std::string>& names) {
  if (option.get_items_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  const std::string first = type.substr(0, type.find(':'));
  if (first == "FILE") return first;
  for (const Word& known : kValues)
    if (std::find(names.begin(), names.end(), known.name) != names.end())
      return std::string(known.word);
  for (const Word& known : kTypes)
    if (first == known.name) return std::string(known.word);
  return first;
}

std::string standard_of(const CLI::Option& option) {
  std::string text = option.get_default_str();
  if (option.get_description().find("default:") != std::string::npos) return "";
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  return text;
}

}  // namespace

OptionRow option_row(const CLI::Option& option) {
  OptionRow row;
  row.positional = option.get_positional();
  if (row.positional) {
    row.names = {option.get_name(true)};
  } else {
    for (const std::string& name : option.get_snames()) row.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) row.names.push_back("--" + name);
    row.value = value_word(option, row.names);
  }
  row.help = option.get_description();
  row.standard = standard_of(option);
  row.group = option.get_group() == "Options" ? kUsualGroup : option.get_group();
  return row;
}

std::vector<OptionRow> option_rows(const CLI::App& app) {
  std::vector<OptionRow> rows;
  for (const bool positional : {true, false})
    for (const CLI::Option* option : app.get_options())
      if (option->get_positional() == positional && !option->get_group().empty())
        rows.push_back(option_row(*option));
  return rows;
}

std::string usage_of(const OptionRow& row) {
  return join(row.names, ", ") + (row.value.empty() ? "" : " " + row.value);
}

std::vector<std::string> option_groups(const std::vector<OptionRow>& rows) {
  std::vector<std::string> groups = {kUsualGroup};
  for (const OptionRow& row : rows)
    if (std::find(groups.begin(), groups.end(), row.group) == groups.end() &&
        row.group != kSharedGroup)
      groups.push_back(row.group);
  groups.emplace_back(kSharedGroup);
  return groups;
}

}  // namespace nibble::cli
