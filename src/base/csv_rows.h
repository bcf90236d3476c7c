// A text that is a table with its columns' names in the first line, as spreadsheets write them:
// comma, semicolon or tab between cells; cells in quotes may hold these, line ends and doubled
// quotes (RFC 4180).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_rows.h"

namespace nibble {

class CsvRows {
 public:
  // Does the first line name one of these columns beside others, or alone before a cell in quotes?
  static bool recognise(std::string_view text, std::span<const std::string_view> columns);

  // `text` must outlive this. Throws kCorruptFile where the first line is damaged.
  explicit CsvRows(std::string_view text);
  // The next row as an object of texts; empty cells are left out. Throws kCorruptFile with the line
  // where a quote does not end or a row has more cells than there are columns.
  std::optional<JsonRow> next();

 private:
  std::vector<std::string> cells();

  std::string_view text_;
  char between_ = ',';
  std::size_t at_ = 0, line_ = 1;
  std::vector<std::string> columns_;
};

}  // namespace nibble
