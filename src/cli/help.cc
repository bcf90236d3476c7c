#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/option_table.h"
#include "cli/terminal/columns.h"

namespace nibble::cli {
namespace {

constexpr std::size_t kWidestHelp = 100;       // longer lines are hard to read
constexpr std::size_t kWidestNames = 26;       // longer ones have a line of their own
constexpr std::size_t kLeastHelpColumns = 30;  // where less is left, help stands below the names
constexpr std::size_t kIndent = 2, kDeepIndent = 6;

std::string paragraph(std::string_view text, std::size_t width, std::size_t indent) {
  std::string result;
  for (const std::string& line : wrapped(text, width > indent ? width - indent : 1))
    result += std::string(indent, ' ') + line + "\n";
  return result;
}

// "  head    text", with the text wrapped beside the head, or below it.
std::string entry(std::string_view head, const std::string& text, std::size_t head_columns,
                  std::size_t width) {
  const std::size_t column = kIndent + head_columns + 2;
  const std::string first(kIndent, ' ');
  if (column + kLeastHelpColumns > width)
    return paragraph(head, width, kIndent) + paragraph(text, width, kDeepIndent);
  const std::string block = paragraph(text, width, column);
  if (columns_of(head) > head_columns) return cat(first, head, "\n", block);
  return first + fmt::format("{:<{}}", head, head_columns + 2) + block.substr(column);
}

std::string help_of(const OptionRow& row) {
  if (row.standard.empty()) return row.help;
  return cat(row.help, "; default: ", row.standard);
}

}  // namespace

std::string overview_text(std::size_t width) {
  width = std::min(width, kWidestHelp);
  std::string text =
      paragraph("nibble quantizes language models, measures what was lost and runs them, on a CPU.",
                width, 0);
  text +=
      "\n  nibble quantize MODEL OUT --method gptq --bits 4 --calib notes.txt\n"
      "  nibble compare MODEL OUT --file test.txt\n"
      "  nibble generate OUT -p \"Once upon a time\" -n 64\n\n";
  text += paragraph(
      "MODEL is a folder, a .safetensors or .gguf file, or org/name in the local Hugging Face "
      "cache.",
      width, 0);
  text += "\nCommands\n";
  for (const Command* command : commands())
    text += entry(command->name, std::string(command->summary), 10, width);
  text += "\n" + entry("nibble COMMAND --help", "the options of one command", 21, width);
  return text + entry("nibble --version", "the version of this program", 21, width);
}

std::string help_text(const Command& command, const CLI::App& app, std::size_t width) {
  width = std::min(width, kWidestHelp);
  const std::vector<OptionRow> rows = option_rows(app);
  std::string usage = cat("Usage: nibble ", command.name);
  std::size_t head_columns = 0;
  for (const OptionRow& row : rows) {
    if (row.positional) usage += " " + row.names[0];
    const std::size_t columns = columns_of(usage_of(row));
    if (columns <= kWidestNames) head_columns = std::max(head_columns, columns);
  }
  std::string text = paragraph(command.summary, width, 0);
  text += cat("\n", command.examples, "\n", paragraph(usage + " [options]", width, 0), "\n");
  for (const OptionRow& row : rows)
    if (row.positional) text += entry(usage_of(row), help_of(row), head_columns, width);
  for (const std::string& group : option_groups(rows)) {
    std::string entries;
    for (const OptionRow& row : rows)
      if (!row.positional && row.group == group)
        entries += entry(usage_of(row), help_of(row), head_columns, width);
    if (!entries.empty()) text += cat("\n", group, "\n", entries);
  }
  return text;
}

}  // namespace nibble::cli
