#include "base/csv_rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kMostColumns = 256, kLongestHeader = 4096;

// What stands most often between the names of the first line.
char separator_of(std::string_view header) {
  char best = ',';
  for (const char candidate : {',', ';', '\t'})
    if (std::count(header.begin(), header.end(), candidate) >
        std::count(header.begin(), header.end(), best))
      best = candidate;
  return best;
}

std::string_view first_line(std::string_view text) {
  text = text.substr(0, std::min(text.find('\n'), text.size()));
  return text.ends_with('\r') ? text.substr(0, text.size() - 1) : text;
}

std::string_view without_quotes(std::string_view name) {
  return name.size() >= 2 && name.front() == '"' && name.back() == '"'
             ? name.substr(1, name.size() - 2)
             : name;
}

}  // namespace

bool CsvRows::recognise(std::string_view text, std::span<const std::string_view> columns) {
  const std::string_view header = first_line(text);
  if (header.empty() || header.size() > kLongestHeader || header.size() == text.size())
    return false;
  const char between = separator_of(header);
  std::size_t names = 0;
  bool known = false;
  for (std::size_t at = 0; at <= header.size(); ++names) {
    const std::size_t end = std::min(header.find(between, at), header.size());
    const std::string_view name = without_quotes(header.substr(at, end - at));
    // Prose has blanks between its commas.
    if (name.find(' ') != name.npos) return false;
    known |= std::find(columns.begin(), columns.end(), name) != columns.end();
    at = end + 1;
  }
  const std::size_t behind = text.find('\n') + 1;
  return known && (names > 1 || (behind < text.size() && text[behind] == '"'));
}

CsvRows::CsvRows(std::string_view text) : text_(text), between_(separator_of(first_line(text))) {
  columns_ = cells();
  if (columns_.size() > kMostColumns)
    throw Error(ErrorKind::kCorruptFile, cat("line 1: names ", columns_.size(), " columns"));
}

std::vector<std::string> CsvRows::cells() {
  const std::size_t begins = line_;
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '\n') ++line_;
    if (quoted) {
      if (c != '"')
        cells.back() += c;
      else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"')
        cells.back() += text_[++at_];
      else
        quoted = false;
    } else if (c == '"' && cells.back().empty()) {
      quoted = true;
    } else if (c == between_) {
      cells.emplace_back();
    } else if (c == '\n') {
      ++at_;
      break;
    } else if (c != '\r' || (at_ + 1 < text_.size() && text_[at_ + 1] != '\n')) {
      cells.back() += c;
    }
  }
  if (quoted)
    throw Error(ErrorKind::kCorruptFile,
                cat("line ", begins, ": a quote that begins in this row does not end"),
                "a quote inside of a cell is written twice");
  return cells;
}

std::optional<JsonRow> CsvRows::next() {
  while (at_ < text_.size()) {
    JsonRow row{Json::object(), line_};
    auto found = cells();
    if (found.size() == 1 && found.front().empty()) continue;  // an empty line
    if (found.size() > columns_.size())
      throw Error(ErrorKind::kCorruptFile,
                  cat("line ", row.line, ": has ", found.size(), " cells; the first line names ",
                      columns_.size(), " columns"),
                  "a cell that holds the separator stands in quotes");
    for (std::size_t i = 0; i < found.size(); ++i)
      if (!found[i].empty()) row.value[columns_[i]] = std::move(found[i]);
    return row;
  }
  return std::nullopt;
}

}  // namespace nibble
