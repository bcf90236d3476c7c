// A text that is JSON as a list of rows, the way data sets come: one value on each line, or one
// array.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/json.h"

namespace nibble {

struct JsonRow {
  Json value;
  std::size_t line = 0;  // where it begins, from 1
};

class JsonRows {
 public:
  // True when the text is meant as JSON rows, damaged ones included. Prose that begins with a
  // bracket
  // ("[1] See the note", "{chapter one}") is not.
  static bool recognise(std::string_view text);

  // `text` must outlive this.
  explicit JsonRows(std::string_view text);
  // The next row; empty at the end. Throws kCorruptFile with the line.
  std::optional<JsonRow> next();

 private:
  void skip_blanks();
  void fail(std::string_view problem) const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  bool in_array_ = false;
  bool first_ = true;
};

}  // namespace nibble
