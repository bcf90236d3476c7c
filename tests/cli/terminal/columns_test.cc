#include "cli/terminal/columns.h"

#include <gtest/gtest.h>

namespace nibble::cli {
namespace {

using Lines = std::vector<std::string>;

TEST(Columns, CountCharactersAndNotBytes) {
  EXPECT_EQ(columns_of("loading…"), 8u);
  EXPECT_EQ(cut_to_columns("a…bc", 2), "a…");
  EXPECT_EQ(cut_to_columns("a…", 9), "a…");
  EXPECT_EQ(cut_to_columns("a…", 0), "");
}

TEST(Wrapped, BreaksAtSpacesOnly) {
  EXPECT_EQ(wrapped("one two three", 7), (Lines{"one two", "three"}));
  EXPECT_EQ(wrapped("one  two", 3), (Lines{"one", "two"}));
  EXPECT_EQ(wrapped("a-long-word b", 4), (Lines{"a-long-word", "b"}));
  EXPECT_EQ(wrapped("", 4), (Lines{""}));
}

}  // namespace
}  // namespace nibble::cli
