// The reading itself is tested through dialogue_test.cc, at a terminal.
#include "cli/terminal/key_input.h"

#include <gtest/gtest.h>

namespace nibble::cli {
namespace {

TEST(PlainPaste, LinesEndAlikeHoweverTheTerminalSendsThem) {
  EXPECT_EQ(plain_paste("a\rb\nc\r\nd"), "a\nb\nc\nd");
  EXPECT_EQ(plain_paste("a\r\r\nb\n\r"), "a\n\nb\n\n");
}

TEST(PlainPaste, ControlCharactersCannotMoveTheCursor) {
  EXPECT_EQ(plain_paste("a\33[2Jb\7\tc\177"), "a[2Jb\tc");
}

TEST(PlainPaste, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(plain_paste("日\xFFx"), "日\xEF\xBF\xBDx");
}

}  // namespace
}  // namespace nibble::cli
