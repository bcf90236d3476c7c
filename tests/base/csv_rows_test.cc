#include "base/csv_rows.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "support/error_text.h"

namespace nibble {
namespace {

constexpr std::array<std::string_view, 2> kColumns = {"text", "prompt"};

std::vector<JsonRow> rows_of(std::string_view text) {
  CsvRows rows(text);
  std::vector<JsonRow> list;
  while (const auto row = rows.next()) list.push_back(*row);
  return list;
}

TEST(CsvRows, AreRecognisedByTheNamesOfTheirColumns) {
  EXPECT_TRUE(CsvRows::recognise("id,text\n1,a\n", kColumns));
  EXPECT_TRUE(CsvRows::recognise("\"id\";\"text\"\r\n1;a\r\n", kColumns));
  EXPECT_TRUE(CsvRows::recognise("prompt\tcompletion\na\tb\n", kColumns));
  EXPECT_TRUE(CsvRows::recognise("text\n\"a\"\n", kColumns));
  EXPECT_FALSE(CsvRows::recognise("text\nand more of it\n", kColumns));
  EXPECT_FALSE(CsvRows::recognise("A prompt, text and more.\nBut prose.\n", kColumns));
  EXPECT_FALSE(CsvRows::recognise("id,body\n1,a\n", kColumns));
  EXPECT_FALSE(CsvRows::recognise("text,prompt", kColumns));
  EXPECT_FALSE(CsvRows::recognise("", kColumns));
}

TEST(CsvRows, KeepWhatStandsInQuotes) {
  const auto rows = rows_of("id,text\n1,\"a, \"\"b\"\"\nand c\"\r\n\n2,plain\n3,\n");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].value, (Json{{"id", "1"}, {"text", "a, \"b\"\nand c"}}));
  EXPECT_EQ(rows[1].value, (Json{{"id", "2"}, {"text", "plain"}}));
  EXPECT_EQ(rows[2].value, (Json{{"id", "3"}}));
  EXPECT_EQ(rows[1].line, 5u);
}

TEST(CsvRows, TellWhereTheyAreDamaged) {
  EXPECT_NE(test::error_text([] {
              rows_of("id,text\n1,a\n2,\"b\n3,c\n");
            }).find("line 3: a quote that begins in this row does not end"),
            std::string::npos);
  EXPECT_NE(test::error_text([] {
              rows_of("id,text\n1,a,b\n");
            }).find("line 2: has 3 cells; the first line names 2 columns"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
