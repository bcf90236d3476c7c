#include "cli/table.h"

#include <algorithm>
#include <string_view>

#include "cli/terminal/columns.h"

namespace nibble::cli {
namespace {

bool is_number(std::string_view text) {
  return text.empty() || text == "-" || (text[0] >= '0' && text[0] <= '9') ||
         (text.size() > 1 && (text[0] == '-' || text[0] == '+' || text[0] == '.') &&
          text[1] >= '0' && text[1] <= '9');
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  std::vector<bool> numeric;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    const auto& row = rows_[r];
    widths.resize(std::max(widths.size(), row.size()));
    numeric.resize(widths.size(), true);
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], columns_of(row[c]));
      if (r > 0 && !is_number(row[c])) numeric[c] = false;
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    if (std::all_of(row.begin(), row.end(), [](const std::string& cell) { return cell.empty(); }))
      continue;
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - columns_of(row[c]), ' ');
      if (c > 0) line += "  ";
      line += numeric[c] ? padding + row[c] : row[c] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace nibble::cli
