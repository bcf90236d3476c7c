// Rows of a data set as texts a model reads: what the keys of a row mean, and conversations in the
// model's own chat template.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/csv_rows.h"
#include "base/json_rows.h"
#include "nibble/error.h"

namespace nibble {

struct Documents {
  std::string text;                // one behind the other, a blank line between them
  std::vector<std::string> notes;  // rows left out, and why
};

// Is this text a data set, rows of JSON or a table whose first line names columns of texts?
bool holds_documents(std::string_view text);
// Of a file that is called a table and for which holds_documents is false: that it is read as it
// stands, and what would make it a data set. Empty otherwise.
std::string table_as_prose(const std::filesystem::path& file);

// The rows of a text for which holds_documents is true; it must outlive this.
class DataRows {
 public:
  explicit DataRows(std::string_view text);
  // The next one; empty at the end. Throws kCorruptFile with the line.
  std::optional<JsonRow> next();

 private:
  std::optional<JsonRows> json_;
  std::optional<CsvRows> table_;
};

// Rows that cannot be used: how many, and of the first of them where and why.
class LeftOut {
 public:
  void add(std::size_t line, const Error& why);
  std::size_t count() const { return count_; }
  // Of so many rows in all: throws kCorruptFile where none is left.
  void refuse_nothing(std::size_t rows, std::string_view fix = {}) const;
  std::string note(std::size_t rows) const;  // empty: none was left out

 private:
  std::size_t count_ = 0;
  std::string named_;
};

// The rows of `text`, for which holds_documents is true. Each row is a text or an object
// with
//   text | prompt, completion | messages (role, content) | conversations (from, value)
//   | instruction, input, output | question, answer
// Rows of other shapes are left out, counted and named; throws kCorruptFile with the line when
// there is no other row, or where the data set is damaged. `model` is whose chat template writes
// conversations; without one their texts are joined. Reading ends when the text has `enough_bytes`.
Documents read_documents(std::string_view text, const std::filesystem::path& model,
                         std::size_t enough_bytes = SIZE_MAX);

}  // namespace nibble
