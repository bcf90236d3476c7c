// Text in aligned columns; numbers to the right, words to the left.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

namespace nibble::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Columns whose cells (heads aside) all begin with a digit, a sign or a point lie to the right.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first holds the heads; may be empty strings
};

}  // namespace nibble::cli
