#include "base/text_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using std::string_view_literals::operator""sv;
using test::error_kind;
using test::error_text;
using test::TempDir;

std::string read(std::string_view bytes) {
  const TempDir dir;
  write_file(dir / "text", bytes);
  return read_text(dir / "text");
}

std::string refusal(std::string_view bytes) {
  return error_text([&] { read(bytes); });
}

TEST(TextFile, KeepsUtf8AndItsLineEndsAsTheyAre) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("Größe\r\n日本\rx\n"), "Größe\r\n日本\rx\n");
  EXPECT_EQ(read("zero \0 byte"sv), "zero \0 byte"sv);
}

TEST(TextFile, DropsAByteOrderMarkAtTheStartOnly) {
  EXPECT_EQ(read("\xEF\xBB\xBFOnce"), "Once");
  EXPECT_EQ(read("a\xEF\xBB\xBF"), "a\xEF\xBB\xBF");
  EXPECT_EQ(read("\xEF\xBB\xBF"), "");
}

TEST(TextFile, ReadsUtf16OfBothOrdersThroughItsMark) {
  EXPECT_EQ(read("\xFF\xFEh\0\xE9\0\n\0"sv), "hé\n");
  EXPECT_EQ(read("\xFE\xFF\0h\0\xE9\0\n"sv), "hé\n");
  EXPECT_EQ(read("\xFE\xFF\xD8\x3D\xDE\x00"sv), "😀");
}

TEST(TextFile, RefusesDamagedUtf16WithLineAndByte) {
  EXPECT_NE(refusal("\xFF\xFEh\0\n\0x"sv).find("line 2, byte 6"), std::string::npos);
  EXPECT_NE(refusal("\xFE\xFF\xDE\x00"sv).find("line 1, byte 2"), std::string::npos);  // low half
  EXPECT_NE(refusal("\xFE\xFF\xD8\x3D\0a"sv).find("surrogate"), std::string::npos);
  EXPECT_NE(refusal("\xFE\xFF\xD8\x3D"sv).find("surrogate"), std::string::npos);
}

TEST(TextFile, RefusesBytesThatAreNotUtf8WithLineAndByte) {
  const std::string text = refusal("one\ncaf\xE9\n");
  EXPECT_NE(text.find("line 2, byte 7: not well-formed UTF-8 (0xE9)"), std::string::npos) << text;
  EXPECT_NE(text.find("fix: "), std::string::npos);
  EXPECT_NE(refusal("cut off \xE2\x82").find("byte 8"), std::string::npos);
}

TEST(TextFile, NamesFilesThatAreNoText) {
  EXPECT_NE(refusal("\x1F\x8B\x08\0"sv).find("is a gzip file"), std::string::npos);
  EXPECT_NE(refusal("PAR1\x15\0"sv).find("is a Parquet table"), std::string::npos);
  EXPECT_NE(refusal("\xFF\xFE\0\0a\0\0\0"sv).find("is UTF-32"), std::string::npos);
  EXPECT_NE(refusal("O\0n\0c\0e\0 \0u\0p\0"sv).find("UTF-16 without a byte-order mark"),
            std::string::npos);
  const TempDir dir;
  EXPECT_NE(error_text([&] { read_text(dir.path()); }).find("is a folder"), std::string::npos);
  EXPECT_EQ(error_kind([&] { read_text(dir / "none"); }), ErrorKind::kNotFound);
  EXPECT_NE(error_text([&] { read_text(dir / "none"); }).find("fix: "), std::string::npos);
}

TEST(TextFile, ReadsAPipeToItsEnd) {
  const TempDir dir;
  const fs::path pipe = dir / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] {
    std::FILE* file = std::fopen(pipe.c_str(), "w");
    std::fputs("\xEF\xBB\xBF", file);
    for (int i = 0; i < 20'000; ++i) std::fputs("line\n", file);
    std::fclose(file);
  });
  const std::string text = read_text(pipe);
  writer.join();
  EXPECT_EQ(text.size(), 20'000u * 5);
  EXPECT_EQ(text.substr(0, 10), "line\nline\n");
}

}  // namespace
}  // namespace nibble
